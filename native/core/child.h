#pragma once

#include <sys/types.h>

#include <mutex>

#include "fd.h"

namespace vmcg {

/** How a process ended: with an exit code, or by a signal (the other one is 0). */
struct Ending {
  int code;
  int signal;
};

/**
 * A child process, from before it is there until it has been waited for.
 *
 * Its pid cannot be given to another process before Await() has collected it, and Signal() is kept
 * apart from that: so no signal ever reaches a stranger, also on kernels without pidfds.
 */
class Child {
 public:
  /** The process is there. It is killed at once when it was to be killed before that. */
  void Begin(pid_t pid);

  /** 0 or an errno: ESRCH once it has ended. Only SIGKILL can be sent before it is there. */
  int Signal(int number);

  /** 0 before it is there. */
  [[nodiscard]] pid_t pid();

  /** A descriptor that can be polled for its end; empty before Linux 5.3. */
  [[nodiscard]] Fd OpenPidfd();

  /** Blocks until it has ended, and collects it. Once. */
  Ending Await();

 private:
  std::mutex mutex_;
  pid_t pid_ = 0;
  bool is_doomed_ = false;
  bool has_ended_ = false;
};

}  // namespace vmcg
