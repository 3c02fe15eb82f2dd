#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "guest.h"
#include "thread.h"

namespace spinvm {

// A vCPU: a guest and the thread that runs it. It begins paused.
class Vcpu {
 public:
  Vcpu(const std::string& thread_name, std::unique_ptr<Guest> guest);
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;
  // Ends the thread.
  ~Vcpu();

  [[nodiscard]] pid_t tid() const { return thread_.tid(); }
  // Returns when the guest executes no more.
  void Pause();
  void Resume();

 private:
  enum class Wanted { kPaused, kRunning, kEnded };
  void Loop();
  void Want(Wanted wanted);

  std::unique_ptr<Guest> guest_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Wanted wanted_ = Wanted::kPaused;
  bool executing_ = false;
  NamedThread thread_;
};

}  // namespace spinvm
