#include "launch_port.h"

#include <memory>
#include <utility>

namespace vmcg {
namespace {

constexpr std::size_t kUnlimitedQueue = 0;
constexpr std::size_t kInitialThreads = 1;

}  // namespace

LaunchPort::LaunchPort(Napi::Env env, LaunchReceiver& receiver)
    : function_(ThreadSafeFunction::New(env, "vmcg.launch", kUnlimitedQueue, kInitialThreads,
                                        &receiver)) {
  function_.Unref(env);
}

void LaunchPort::SetAwaiting(Napi::Env env, bool is_awaiting) {
  if (is_awaiting) {
    function_.Ref(env);
  } else {
    function_.Unref(env);
  }
}

void LaunchPort::Close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

void LaunchPort::Started(std::int64_t ticket, LaunchStarted started) {
  Send(LaunchNews{ticket, std::move(started)});
}

void LaunchPort::Failed(std::int64_t ticket, LaunchFailed failed) {
  Send(LaunchNews{ticket, failed});
}

void LaunchPort::Ended(std::int64_t ticket, Ending ending) { Send(LaunchNews{ticket, ending}); }

void LaunchPort::Send(LaunchNews news) {
  auto owned = std::make_unique<LaunchNews>(std::move(news));
  // Held over the call: Close() then means that nobody is inside the function any more.
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  if (function_.NonBlockingCall(owned.get()) == napi_ok) {
    static_cast<void>(owned.release());  // Deliver() owns it now.
  }
}

void LaunchPort::Deliver(Napi::Env env, Napi::Function /*unused*/, LaunchReceiver* receiver,
                         LaunchNews* news) {
  const std::unique_ptr<LaunchNews> owned(news);
  // Without an environment this only empties the queue; the receiver is gone by then.
  if (env != nullptr) receiver->Receive(env, std::move(*owned));
}

}  // namespace vmcg
