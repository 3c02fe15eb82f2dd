#include "lane.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "batch_run.h"

namespace vmcg {
namespace {

/** By Lane::Kind; at most 15 characters, as pthread_setname_np has it. */
constexpr std::array<const char*, Lane::kCount> kThreadNames{"vmcg-lane", "vmcg-lane-slow",
                                                             "vmcg-lane-files", "vmcg-lane-read"};

bool TakesAllThatWait(Lane::Kind kind) {
  return kind == Lane::Kind::kFast || kind == Lane::Kind::kFiles;
}

/** Tells each listener once of all that is its own. */
void Deliver(std::span<const LaneJob> burst, std::vector<BatchResult> results) {
  std::map<std::shared_ptr<BatchListener>, std::vector<FinishedBatch>> finished;
  for (const LaneJob& job : burst) {
    const auto at = static_cast<std::size_t>(&job - burst.data());
    finished[job.listener].push_back(FinishedBatch{job.ticket, std::move(results[at])});
  }
  for (auto& [listener, batches] : finished) listener->BurstFinished(std::move(batches));
}

}  // namespace

Result<Lane*> Lane::Get(Kind kind) {
  // Plain data without destructors, so that exit(3) can run while a lane is still at work.
  static std::mutex mutex;
  static std::array<Lane*, kCount> lanes{};

  const std::lock_guard lock(mutex);
  Lane*& lane = lanes[static_cast<std::size_t>(kind)];
  if (lane == nullptr) {
    const Result<Lane*> made = Make(kind);
    if (!made.ok()) return made;
    lane = *made;
  }
  return lane;
}

Result<Lane*> Lane::Make(Kind kind) {
  auto* const lane = new Lane(kind);
  // The thread inherits the mask: signals are for the application's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const int error = pthread_create(&thread, nullptr, ThreadMain, lane);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    delete lane;
    return SysError{error, "pthread_create"};
  }
  pthread_setname_np(thread, kThreadNames.at(static_cast<std::size_t>(kind)));
  pthread_detach(thread);
  return lane;
}

void* Lane::ThreadMain(void* lane) { static_cast<Lane*>(lane)->Run(); }

void Lane::Run() {
  while (true) {
    std::vector<LaneJob> burst = Take();
    std::vector<const Batch*> batches;
    batches.reserve(burst.size());
    for (const LaneJob& job : burst) batches.push_back(&job.batch);
    std::vector<BatchResult> results = RunBurst(batches);
    // Whoever hears of the end may close what a batch kept open, and count on its being closed.
    for (LaneJob& job : burst) job.batch = {};
    Deliver(burst, std::move(results));
  }
}

std::vector<LaneJob> Lane::Take() {
  std::unique_lock lock(mutex_);
  has_jobs_.wait(lock, [this] { return !jobs_.empty(); });
  const auto end = TakesAllThatWait(kind_) ? jobs_.end() : jobs_.begin() + 1;
  std::vector<LaneJob> burst(std::make_move_iterator(jobs_.begin()), std::make_move_iterator(end));
  jobs_.erase(jobs_.begin(), end);
  return burst;
}

void Lane::Submit(LaneJob job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  has_jobs_.notify_one();
}

bool Lane::Cancel(const BatchListener& listener, std::int64_t ticket) {
  const std::lock_guard lock(mutex_);
  const auto erased = std::erase_if(jobs_, [&](const LaneJob& job) {
    return job.listener.get() == &listener && job.ticket == ticket;
  });
  return erased > 0;
}

}  // namespace vmcg
