#include "child.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include "retry.h"

namespace vmcg {

void Child::Begin(pid_t pid) {
  const std::lock_guard lock(mutex_);
  pid_ = pid;
  if (is_doomed_) kill(pid_, SIGKILL);
}

int Child::Signal(int number) {
  const std::lock_guard lock(mutex_);
  if (has_ended_) return ESRCH;
  if (pid_ == 0) {
    if (number != SIGKILL) return ESRCH;
    is_doomed_ = true;
    return 0;
  }
  return kill(pid_, number) == 0 ? 0 : errno;
}

pid_t Child::pid() {
  const std::lock_guard lock(mutex_);
  return pid_;
}

Fd Child::OpenPidfd() { return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid(), 0))); }

Ending Child::Await() {
  const auto id = static_cast<id_t>(pid());
  siginfo_t info = {};
  // Looks first, so that the lock is not held while it blocks.
  RetryOnEintr([&] { return waitid(P_PID, id, &info, WEXITED | WNOWAIT); });
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  RetryOnEintr([&] { return waitid(P_PID, id, &info, WEXITED); });
  const bool is_exit = info.si_code == CLD_EXITED;
  return Ending{is_exit ? info.si_status : 0, is_exit ? 0 : info.si_status};
}

}  // namespace vmcg
