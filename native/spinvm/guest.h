#pragma once

#include <memory>

namespace spinvm {

// What one vCPU executes.
class Guest {
 public:
  Guest() = default;
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  virtual ~Guest() = default;

  enum class Exit { kKicked, kFailed };
  // Executes on the calling thread until it is kicked, also when that happened before. kFailed: it
  // cannot go on.
  virtual Exit Run() = 0;
  // Makes Run return; from any thread.
  virtual void Kick() = 0;
  // Lets Run execute again. Only while nothing runs.
  virtual void Rearm() = 0;
};

// Where vCPUs come from: KVM, or a loop on the host.
class Accelerator {
 public:
  Accelerator() = default;
  Accelerator(const Accelerator&) = delete;
  Accelerator& operator=(const Accelerator&) = delete;
  virtual ~Accelerator() = default;

  // For thread names, as QEMU has them: `CPU 0/KVM`.
  [[nodiscard]] virtual const char* name() const = 0;
  [[nodiscard]] virtual bool is_kvm() const = 0;
  // The guest of one vCPU; nullptr where KVM refuses another one (errno says why).
  virtual std::unique_ptr<Guest> MakeGuest(int index) = 0;
};

std::unique_ptr<Accelerator> MakeHostAccelerator();
// nullptr where /dev/kvm does not open or cannot run this guest.
std::unique_ptr<Accelerator> MakeKvmAccelerator();

}  // namespace spinvm
