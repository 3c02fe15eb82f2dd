#pragma once

#include <cstdint>
#include <mutex>
#include <variant>

#include "../core/launch.h"
#include "napi_setup.h"

namespace vmcg {

struct LaunchNews {
  std::int64_t ticket;
  std::variant<LaunchStarted, LaunchFailed, Ending> what;
};

/** Takes news in on the JavaScript thread of one environment. */
class LaunchReceiver {
 public:
  LaunchReceiver() = default;
  LaunchReceiver(const LaunchReceiver&) = delete;
  LaunchReceiver& operator=(const LaunchReceiver&) = delete;
  virtual ~LaunchReceiver() = default;

  virtual void Receive(Napi::Env env, LaunchNews news) = 0;
};

/**
 * The way of news from the threads that launch and collect children to one environment's JavaScript
 * thread. Those threads and the environment share it, as a BatchPort; what arrives after Close() is
 * dropped, with the descriptors in it.
 */
class LaunchPort final : public LaunchListener {
 public:
  /** `receiver` must live until Close(). */
  LaunchPort(Napi::Env env, LaunchReceiver& receiver);

  /** On the JavaScript thread: while something is awaited, Node does not exit. */
  void SetAwaiting(Napi::Env env, bool is_awaiting);

  /** On the JavaScript thread, before the environment closes the function behind the port. */
  void Close();

  void Started(std::int64_t ticket, LaunchStarted started) override;
  void Failed(std::int64_t ticket, LaunchFailed failed) override;
  void Ended(std::int64_t ticket, Ending ending) override;

 private:
  static void Deliver(Napi::Env env, Napi::Function unused, LaunchReceiver* receiver,
                      LaunchNews* news);

  void Send(LaunchNews news);

  using ThreadSafeFunction =
      Napi::TypedThreadSafeFunction<LaunchReceiver, LaunchNews, LaunchPort::Deliver>;

  std::mutex mutex_;
  bool is_closed_ = false;
  ThreadSafeFunction function_;
};

}  // namespace vmcg
