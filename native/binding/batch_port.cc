#include "batch_port.h"

#include <memory>
#include <utility>

namespace vmcg {
namespace {

constexpr std::size_t kUnlimitedQueue = 0;
constexpr std::size_t kInitialThreads = 1;

}  // namespace

BatchPort::BatchPort(Napi::Env env, BatchReceiver& receiver)
    : function_(
          ThreadSafeFunction::New(env, "vmcg.batch", kUnlimitedQueue, kInitialThreads, &receiver)) {
  function_.Unref(env);
}

void BatchPort::SetPending(Napi::Env env, bool is_pending) {
  if (is_pending) {
    function_.Ref(env);
  } else {
    function_.Unref(env);
  }
}

void BatchPort::Close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

void BatchPort::BatchFinished(std::int64_t ticket, BatchResult result) {
  auto finished = std::make_unique<FinishedBatch>(FinishedBatch{ticket, std::move(result)});
  // Held over the call: Close() then means that no lane is inside the function any more.
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  if (function_.NonBlockingCall(finished.get()) == napi_ok) {
    static_cast<void>(finished.release());  // Deliver() owns it now.
  }
}

void BatchPort::Deliver(Napi::Env env, Napi::Function /*unused*/, BatchReceiver* receiver,
                        FinishedBatch* finished) {
  const std::unique_ptr<FinishedBatch> owned(finished);
  // Without an environment this only empties the queue; the receiver is gone by then.
  if (env != nullptr) receiver->Receive(env, *owned);
}

}  // namespace vmcg
