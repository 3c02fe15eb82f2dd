#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "batch.h"
#include "result.h"

namespace vmcg {

struct FinishedBatch {
  std::int64_t ticket;
  BatchResult result;
};

/** Hears of finished batches, on the lane's thread. */
class BatchListener {
 public:
  BatchListener() = default;
  BatchListener(const BatchListener&) = delete;
  BatchListener& operator=(const BatchListener&) = delete;
  virtual ~BatchListener() = default;

  /** Those of one burst, in the order they were submitted in. */
  virtual void BurstFinished(std::vector<FinishedBatch> finished) = 0;
};

struct LaneJob {
  /** Tells the jobs of one listener apart. */
  std::int64_t ticket;
  Batch batch;
  std::shared_ptr<BatchListener> listener;
};

/**
 * A thread of our own that runs batches in the order they came in. The fast lane takes all that
 * wait and runs them as one burst (RunBurst), so that they share the kernel's grace period; so does
 * that for files, where they share a commit of the file system's journal. The slow lane takes one
 * at a time: what waits behind a write that blocks can still be taken back.
 *
 * The kernel can hold a cgroup write up for milliseconds, which neither the event loop nor libuv's
 * pool should feel. There is one thread per lane and process, made at the first use and never
 * ended: all worker threads of the process share it, and none of them outlives the others for
 * certain.
 */
class Lane {
 public:
  enum class Kind { kFast, kSlow, kFiles, kReading };
  static constexpr int kCount = 4;

  /** The process's lane of this kind; an error when its thread cannot be made. */
  static Result<Lane*> Get(Kind kind);

  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void Submit(LaneJob job);

  /** Takes a job back. True when it had not started: its listener will not hear of it. */
  bool Cancel(const BatchListener& listener, std::int64_t ticket);

 private:
  explicit Lane(Kind kind) : kind_(kind) {}
  ~Lane() = default;

  static Result<Lane*> Make(Kind kind);
  static void* ThreadMain(void* lane);
  [[noreturn]] void Run();
  std::vector<LaneJob> Take();

  const Kind kind_;
  std::mutex mutex_;
  std::condition_variable has_jobs_;
  std::deque<LaneJob> jobs_;
};

}  // namespace vmcg
