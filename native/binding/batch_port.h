#pragma once

#include <mutex>
#include <vector>

#include "../core/lane.h"
#include "napi_setup.h"

namespace vmcg {

/** Takes results in on the JavaScript thread of one environment. */
class BatchReceiver {
 public:
  BatchReceiver() = default;
  BatchReceiver(const BatchReceiver&) = delete;
  BatchReceiver& operator=(const BatchReceiver&) = delete;
  virtual ~BatchReceiver() = default;

  virtual void Receive(Napi::Env env, const FinishedBatch& finished) = 0;
};

/**
 * The way of a burst's results from a lane to one environment's JavaScript thread, which is woken
 * up once for all of them.
 *
 * The lane and the environment share it, because either may be the last to need it: a worker can
 * end while its batch is at work in the kernel. What arrives after Close() is dropped.
 */
class BatchPort final : public BatchListener {
 public:
  /** `receiver` must live until Close(). */
  BatchPort(Napi::Env env, BatchReceiver& receiver);

  /** On the JavaScript thread: while something is pending, Node does not exit. */
  void SetPending(Napi::Env env, bool is_pending);

  /** On the JavaScript thread, before the environment closes the function behind the port. */
  void Close();

  void BurstFinished(std::vector<FinishedBatch> finished) override;

 private:
  static void Deliver(Napi::Env env, Napi::Function unused, BatchReceiver* receiver,
                      std::vector<FinishedBatch>* finished);

  using ThreadSafeFunction =
      Napi::TypedThreadSafeFunction<BatchReceiver, std::vector<FinishedBatch>, BatchPort::Deliver>;

  std::mutex mutex_;
  bool is_closed_ = false;
  ThreadSafeFunction function_;
};

}  // namespace vmcg
