#include <atomic>
#include <cstdint>

#include "guest.h"

namespace spinvm {
namespace {

class HostGuest : public Guest {
 public:
  Exit Run() override {
    while (!kicked_.load(std::memory_order_relaxed)) loops_.fetch_add(1, std::memory_order_relaxed);
    return Exit::kKicked;
  }
  void Kick() override { kicked_.store(true, std::memory_order_relaxed); }
  void Rearm() override { kicked_.store(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> kicked_{false};
  std::atomic<uint64_t> loops_{0};
};

class HostAccelerator : public Accelerator {
 public:
  [[nodiscard]] const char* name() const override { return "TCG"; }
  [[nodiscard]] bool is_kvm() const override { return false; }
  std::unique_ptr<Guest> MakeGuest(int /*index*/) override { return std::make_unique<HostGuest>(); }
};

}  // namespace

std::unique_ptr<Accelerator> MakeHostAccelerator() { return std::make_unique<HostAccelerator>(); }

}  // namespace spinvm
