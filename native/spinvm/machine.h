#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guest.h"
#include "iothread.h"
#include "options.h"
#include "vcpu.h"

namespace spinvm {

enum class RunState { kPrelaunch, kRunning, kPaused };

// The VM: its vCPUs by index (which is the core id: one socket, one thread per core) and its I/O
// threads.
class Machine {
 public:
  struct Slot {
    std::unique_ptr<Vcpu> vcpu;
    std::string device_id;  // empty for a vCPU that was there from the start
  };

  Machine(const Options& options, std::unique_ptr<Accelerator> accelerator);

  // Makes the vCPUs and the threads, and starts them unless it is to begin paused. The reason when
  // KVM refuses.
  std::optional<std::string> Start(const Options& options);
  // Plugs a vCPU in; its thread exists when this returns. The reason, in QEMU's words, when that
  // cannot be.
  std::optional<std::string> Plug(int core, const std::string& device_id);
  // Both return whether that changed anything.
  bool Stop();
  bool Continue();

  [[nodiscard]] RunState state() const { return state_; }
  [[nodiscard]] bool uses_kvm() const { return accelerator_->is_kvm(); }
  [[nodiscard]] int max_vcpus() const { return max_vcpus_; }
  [[nodiscard]] const std::map<int, Slot>& vcpus() const { return vcpus_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Iothread>>& iothreads() const {
    return iothreads_;
  }

 private:
  std::optional<std::string> AddVcpu(int index, const std::string& device_id);

  std::unique_ptr<Accelerator> accelerator_;
  int max_vcpus_;
  RunState state_ = RunState::kPrelaunch;
  std::map<int, Slot> vcpus_;
  std::vector<std::unique_ptr<Iothread>> iothreads_;
};

}  // namespace spinvm
