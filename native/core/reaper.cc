#include "reaper.h"

#include <sys/epoll.h>

#include <mutex>
#include <utility>

#include "detached_thread.h"

namespace vmcg {

Result<Reaper*> Reaper::Get() {
  // Plain data without destructors, so that exit(3) can run while the reaper waits.
  static std::mutex mutex;
  static Reaper* reaper = nullptr;

  const std::lock_guard lock(mutex);
  if (reaper == nullptr) {
    const Result<Reaper*> made = Make();
    if (!made.ok()) return made;
    reaper = *made;
  }
  return reaper;
}

Result<Reaper*> Reaper::Make() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (epoll.get() == -1) return LastError("epoll_create1");
  auto* const reaper = new Reaper(std::move(epoll));
  const int error = StartDetachedThread("vmcg-reaper", ThreadMain, reaper);
  if (error != 0) {
    delete reaper;
    return SysError{error, "pthread_create"};
  }
  return reaper;
}

Result<Done> Reaper::Watch(std::shared_ptr<Child> child, OnEnd on_end) {
  Fd pidfd = child->OpenPidfd();
  if (pidfd.get() == -1) return LastError("pidfd_open");
  const int fd = pidfd.get();
  auto watched =
      std::make_unique<Watched>(Watched{std::move(child), std::move(on_end), std::move(pidfd)});
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.ptr = watched.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == -1) return LastError("epoll_ctl");
  static_cast<void>(watched.release());  // Run() owns it now.
  return Done{};
}

void* Reaper::ThreadMain(void* reaper) { static_cast<Reaper*>(reaper)->Run(); }

void Reaper::Run() {
  while (true) {
    epoll_event event = {};
    if (epoll_wait(epoll_.get(), &event, 1, -1) != 1) continue;
    const std::unique_ptr<Watched> watched(static_cast<Watched*>(event.data.ptr));
    watched->on_end(watched->child->Await());
  }
}

}  // namespace vmcg
