#pragma once

#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>
#include <utility>

namespace spinvm {

// The kernel's limit for a thread's name, without the NUL.
inline constexpr size_t kMaxThreadName = 15;

// A named thread whose tid is known once this is constructed. It is joined by the destructor: its
// owner must have told it to end before that.
class NamedThread {
 public:
  template <typename Body>
  NamedThread(const std::string& name, Body body) {
    std::promise<pid_t> started;
    std::future<pid_t> tid = started.get_future();
    thread_ = std::jthread([&started, &name, body = std::move(body)]() mutable {
      pthread_setname_np(pthread_self(), name.substr(0, kMaxThreadName).c_str());
      started.set_value(gettid());
      body();
    });
    tid_ = tid.get();
  }

  [[nodiscard]] pid_t tid() const { return tid_; }

 private:
  std::jthread thread_;
  pid_t tid_ = 0;
};

}  // namespace spinvm
