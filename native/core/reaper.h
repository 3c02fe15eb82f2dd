#pragma once

#include <functional>
#include <memory>

#include "child.h"
#include "result.h"

namespace vmcg {

/**
 * A thread of our own that collects children when they end, however many there are. There is one
 * for the process, made at the first use and never ended, as the lanes.
 */
class Reaper {
 public:
  using OnEnd = std::function<void(Ending)>;

  static Result<Reaper*> Get();

  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  /** `on_end` is called once, on the reaper's thread. */
  Result<Done> Watch(std::shared_ptr<Child> child, OnEnd on_end);

 private:
  struct Watched {
    std::shared_ptr<Child> child;
    OnEnd on_end;
    Fd pidfd;
  };

  explicit Reaper(Fd epoll) : epoll_(std::move(epoll)) {}
  ~Reaper() = default;

  static Result<Reaper*> Make();
  static void* ThreadMain(void* reaper);
  [[noreturn]] void Run();

  Fd epoll_;
};

}  // namespace vmcg
