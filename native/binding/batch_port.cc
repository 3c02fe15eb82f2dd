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

void BatchPort::BurstFinished(std::vector<FinishedBatch> finished) {
  auto owned = std::make_unique<std::vector<FinishedBatch>>(std::move(finished));
  // Held over the call: Close() then means that no lane is inside the function any more.
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  if (function_.NonBlockingCall(owned.get()) == napi_ok) {
    static_cast<void>(owned.release());  // Deliver() owns it now.
  }
}

void BatchPort::Deliver(Napi::Env env, Napi::Function /*unused*/, BatchReceiver* receiver,
                        std::vector<FinishedBatch>* finished) {
  const std::unique_ptr<std::vector<FinishedBatch>> owned(finished);
  // Without an environment this only empties the queue; the receiver is gone by then.
  if (env == nullptr) return;
  for (const FinishedBatch& batch : *owned) receiver->Receive(env, batch);
}

}  // namespace vmcg
