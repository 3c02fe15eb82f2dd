#include "guest.h"

#if defined(__x86_64__)

#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "fd.h"

namespace spinvm {
namespace {

constexpr size_t kMemoryBytes = 0x10000;
constexpr uint64_t kCodeAddress = 0x1000;
// Real mode, with the vCPU's own cache line in bx:  again: inc dword [bx]; jmp again
constexpr uint8_t kCode[] = {0x66, 0xFF, 0x07, 0xEB, 0xFB};
constexpr uint64_t kCountersAddress = 0x8000;
constexpr uint64_t kCounterBytes = 64;
// Three pages that Intel CPUs need for real mode; any place outside the guest's memory will do.
constexpr unsigned long kTssAddress = 0xFFFBD000;

// A mapping that goes with its owner.
class Mapping {
 public:
  Mapping(size_t bytes, int flags, int fd)
      : address_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0)), bytes_(bytes) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (valid()) munmap(address_, bytes_);
  }

  [[nodiscard]] bool valid() const { return address_ != MAP_FAILED; }
  [[nodiscard]] void* get() const { return address_; }

 private:
  void* address_;
  size_t bytes_;
};

class KvmGuest : public Guest {
 public:
  KvmGuest(Fd vcpu, size_t run_bytes)
      : vcpu_(std::move(vcpu)), run_(run_bytes, MAP_SHARED, vcpu_.get()) {}

  // Real mode with flat segments, at the code.
  bool Reset(int index) {
    if (!run_.valid()) return false;
    kvm_sregs sregs{};
    if (ioctl(vcpu_.get(), KVM_GET_SREGS, &sregs) != 0) return false;
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    if (ioctl(vcpu_.get(), KVM_SET_SREGS, &sregs) != 0) return false;
    kvm_regs regs{};
    regs.rip = kCodeAddress;
    regs.rbx = kCountersAddress + kCounterBytes * static_cast<uint64_t>(index);
    regs.rflags = 2;
    return ioctl(vcpu_.get(), KVM_SET_REGS, &regs) == 0;
  }

  Exit Run() override {
    thread_ = pthread_self();
    running_.store(true);
    Exit exit = Exit::kKicked;
    while (immediate_exit().load() == 0) {
      if (ioctl(vcpu_.get(), KVM_RUN, 0) != 0) {
        if (errno == EINTR || errno == EAGAIN) continue;
        std::perror("vmcg-spinvm: KVM_RUN");
        exit = Exit::kFailed;
        break;
      }
      if (!CanGoOn()) {
        std::fprintf(stderr, "vmcg-spinvm: KVM exit reason %u\n", run()->exit_reason);
        exit = Exit::kFailed;
        break;
      }
    }
    running_.store(false);
    return exit;
  }

  // immediate_exit covers the moment before KVM_RUN, the signal the time in it.
  void Kick() override {
    immediate_exit().store(1);
    if (running_.load()) pthread_kill(thread_, SIGUSR1);
  }

  void Rearm() override { immediate_exit().store(0); }

 private:
  kvm_run* run() { return static_cast<kvm_run*>(run_.get()); }
  // Ordered with running_: either Run sees the kick, or Kick sees that Run has begun.
  std::atomic_ref<__u8> immediate_exit() { return std::atomic_ref(run()->immediate_exit); }

  // Devices do not exist: reads and writes go nowhere, and the guest goes on. It has nothing that
  // could wake it from a halt, and a triple fault or a failed entry would only repeat.
  bool CanGoOn() {
    switch (run()->exit_reason) {
      case KVM_EXIT_INTR:
      case KVM_EXIT_IO:
      case KVM_EXIT_MMIO:
        return true;
      default:
        return false;
    }
  }

  Fd vcpu_;
  Mapping run_;
  pthread_t thread_{};
  std::atomic<bool> running_{false};
};

class KvmAccelerator : public Accelerator {
 public:
  KvmAccelerator(Fd kvm, Fd vm, size_t run_bytes)
      : kvm_(std::move(kvm)),
        vm_(std::move(vm)),
        run_bytes_(run_bytes),
        memory_(kMemoryBytes, MAP_PRIVATE | MAP_ANONYMOUS, -1) {}

  bool LoadMemory() {
    if (!memory_.valid()) return false;
    std::memcpy(static_cast<uint8_t*>(memory_.get()) + kCodeAddress, kCode, sizeof kCode);
    kvm_userspace_memory_region region{};
    region.memory_size = kMemoryBytes;
    region.userspace_addr = reinterpret_cast<uint64_t>(memory_.get());
    return ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) == 0 &&
           ioctl(vm_.get(), KVM_SET_TSS_ADDR, kTssAddress) == 0;
  }

  [[nodiscard]] const char* name() const override { return "KVM"; }
  [[nodiscard]] bool is_kvm() const override { return true; }

  std::unique_ptr<Guest> MakeGuest(int index) override {
    Fd vcpu(ioctl(vm_.get(), KVM_CREATE_VCPU, static_cast<unsigned long>(index)));
    if (!vcpu.valid()) return nullptr;
    auto guest = std::make_unique<KvmGuest>(std::move(vcpu), run_bytes_);
    return guest->Reset(index) ? std::move(guest) : nullptr;
  }

 private:
  Fd kvm_;
  Fd vm_;
  size_t run_bytes_;
  Mapping memory_;
};

}  // namespace

std::unique_ptr<Accelerator> MakeKvmAccelerator() {
  Fd kvm(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm.valid() || ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) return nullptr;
  if (ioctl(kvm.get(), KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT) <= 0) return nullptr;
  const int run_bytes = ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
  Fd vm(ioctl(kvm.get(), KVM_CREATE_VM, 0));
  if (run_bytes <= 0 || !vm.valid()) return nullptr;
  auto accelerator = std::make_unique<KvmAccelerator>(std::move(kvm), std::move(vm),
                                                      static_cast<size_t>(run_bytes));
  return accelerator->LoadMemory() ? std::move(accelerator) : nullptr;
}

}  // namespace spinvm

#else

namespace spinvm {

std::unique_ptr<Accelerator> MakeKvmAccelerator() { return nullptr; }

}  // namespace spinvm

#endif
