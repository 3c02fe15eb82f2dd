#include "core/lane.h"

#include <pthread.h>
#include <signal.h>

#include <array>
#include <future>
#include <utility>
#include <vector>

#include "batch_builder.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

/** Writes down what finished; can hold the lane up, so that a test decides what waits behind. */
class Recorder final : public BatchListener {
 public:
  void BurstFinished(std::vector<FinishedBatch> finished) override {
    std::unique_lock lock(mutex_);
    for (const FinishedBatch& batch : finished) tickets_.push_back(batch.ticket);
    bursts_.push_back(finished.size());
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_holding_; });
  }

  void Hold() { SetHolding(true); }
  void Release() { SetHolding(false); }

  void WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tickets_.size() >= count; });
  }

  [[nodiscard]] std::vector<std::int64_t> tickets() {
    const std::lock_guard lock(mutex_);
    return tickets_;
  }

  /** How many batches each burst had. */
  [[nodiscard]] std::vector<std::size_t> bursts() {
    const std::lock_guard lock(mutex_);
    return bursts_;
  }

 private:
  void SetHolding(bool is_holding) {
    const std::lock_guard lock(mutex_);
    is_holding_ = is_holding;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::int64_t> tickets_;
  std::vector<std::size_t> bursts_;
  bool is_holding_ = false;
};

Lane& FastLane() { return **Lane::Get(Lane::Kind::kFast); }

TEST(Lane, IsMadeOnceForEachKind) {
  EXPECT_EQ(*Lane::Get(Lane::Kind::kFast), *Lane::Get(Lane::Kind::kFast));
  EXPECT_NE(*Lane::Get(Lane::Kind::kFast), *Lane::Get(Lane::Kind::kSlow));
}

TEST(Lane, RunsBatchesInTheOrderTheyCameIn) {
  const auto recorder = std::make_shared<Recorder>();
  std::vector<std::int64_t> expected;
  for (std::int64_t ticket = 1; ticket <= 200; ++ticket) {
    FastLane().Submit(LaneJob{ticket, Batch{}, recorder});
    expected.push_back(ticket);
  }
  recorder->WaitFor(200);
  EXPECT_EQ(recorder->tickets(), expected);
}

/** Writes down whether something was let go by the time that a batch finished. */
class Keeper final : public BatchListener {
 public:
  explicit Keeper(std::weak_ptr<int> kept) : kept_(std::move(kept)) {}

  void BurstFinished(std::vector<FinishedBatch> /*finished*/) override {
    is_let_go_.set_value(kept_.expired());
  }

  bool IsLetGo() { return is_let_go_.get_future().get(); }

 private:
  std::weak_ptr<int> kept_;
  std::promise<bool> is_let_go_;
};

TEST(Lane, LetsGoOfWhatABatchKeepsBeforeItTellsOfTheEnd) {
  auto kept = std::make_shared<int>();
  const auto keeper = std::make_shared<Keeper>(kept);
  Batch batch;
  batch.meters.emplace_back(std::move(kept), nullptr);
  FastLane().Submit(LaneJob{1, std::move(batch), keeper});
  EXPECT_TRUE(keeper->IsLetGo());
}

TEST(Lane, CancelsWhatHasNotStarted) {
  const auto recorder = std::make_shared<Recorder>();
  recorder->Hold();
  FastLane().Submit(LaneJob{1, Batch{}, recorder});
  recorder->WaitFor(1);
  for (const std::int64_t ticket : {2, 3}) FastLane().Submit(LaneJob{ticket, Batch{}, recorder});
  EXPECT_FALSE(FastLane().Cancel(*recorder, 1));
  EXPECT_TRUE(FastLane().Cancel(*recorder, 2));
  EXPECT_FALSE(FastLane().Cancel(*recorder, 2));
  recorder->Release();
  recorder->WaitFor(2);
  EXPECT_EQ(recorder->tickets(), (std::vector<std::int64_t>{1, 3}));
}

TEST(Lane, CancelsForOneListenerOnly) {
  const auto holder = std::make_shared<Recorder>();
  const auto other = std::make_shared<Recorder>();
  holder->Hold();
  FastLane().Submit(LaneJob{1, Batch{}, holder});
  holder->WaitFor(1);
  FastLane().Submit(LaneJob{2, Batch{}, holder});
  FastLane().Submit(LaneJob{2, Batch{}, other});
  EXPECT_TRUE(FastLane().Cancel(*holder, 2));
  holder->Release();
  other->WaitFor(1);
  EXPECT_EQ(holder->tickets(), std::vector<std::int64_t>{1});
  EXPECT_EQ(other->tickets(), std::vector<std::int64_t>{2});
}

TEST(Lane, TakesAllThatWaitAsOneBurst) {
  const auto recorder = std::make_shared<Recorder>();
  recorder->Hold();
  FastLane().Submit(LaneJob{1, Batch{}, recorder});
  recorder->WaitFor(1);
  for (const std::int64_t ticket : {2, 3, 4}) FastLane().Submit(LaneJob{ticket, Batch{}, recorder});
  recorder->Release();
  recorder->WaitFor(4);
  EXPECT_EQ(recorder->bursts(), (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(recorder->tickets(), (std::vector<std::int64_t>{1, 2, 3, 4}));
}

TEST(Lane, TellsEachListenerOfItsOwnBatchesInABurst) {
  const auto first = std::make_shared<Recorder>();
  const auto second = std::make_shared<Recorder>();
  first->Hold();
  FastLane().Submit(LaneJob{1, Batch{}, first});
  first->WaitFor(1);
  for (const std::int64_t ticket : {2, 3}) {
    FastLane().Submit(LaneJob{ticket, Batch{}, first});
    FastLane().Submit(LaneJob{ticket, Batch{}, second});
  }
  first->Release();
  first->WaitFor(3);
  second->WaitFor(2);
  EXPECT_EQ(first->bursts(), (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(second->bursts(), (std::vector<std::size_t>{2}));
  EXPECT_EQ(second->tickets(), (std::vector<std::int64_t>{2, 3}));
}

TEST(Lane, TheSlowLaneTakesOneAtATimeSoThatTheOthersCanBeCancelled) {
  const auto recorder = std::make_shared<Recorder>();
  Lane& slow = **Lane::Get(Lane::Kind::kSlow);
  recorder->Hold();
  for (const std::int64_t ticket : {1, 2, 3}) slow.Submit(LaneJob{ticket, Batch{}, recorder});
  recorder->WaitFor(1);
  EXPECT_TRUE(slow.Cancel(*recorder, 2));
  recorder->Release();
  recorder->WaitFor(2);
  EXPECT_EQ(recorder->bursts(), (std::vector<std::size_t>{1, 1}));
  EXPECT_EQ(recorder->tickets(), (std::vector<std::int64_t>{1, 3}));
}

TEST(Lane, TheSlowLaneDoesNotHoldTheFastOneUp) {
  const auto slow = std::make_shared<Recorder>();
  const auto fast = std::make_shared<Recorder>();
  slow->Hold();
  (*Lane::Get(Lane::Kind::kSlow))->Submit(LaneJob{1, Batch{}, slow});
  slow->WaitFor(1);
  FastLane().Submit(LaneJob{1, Batch{}, fast});
  fast->WaitFor(1);
  slow->Release();
}

/** Looks at the thread it is called on. */
class ThreadProbe final : public BatchListener {
 public:
  struct Answer {
    std::string name;
    bool blocks_sigterm;
  };

  void BurstFinished(std::vector<FinishedBatch> /*finished*/) override {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    answer_.set_value(Answer{name.data(), sigismember(&mask, SIGTERM) == 1});
  }

  Answer Get() { return answer_.get_future().get(); }

 private:
  std::promise<Answer> answer_;
};

TEST(Lane, HasANameAndTakesNoSignals) {
  const auto probe = std::make_shared<ThreadProbe>();
  FastLane().Submit(LaneJob{1, Batch{}, probe});
  const ThreadProbe::Answer answer = probe->Get();
  EXPECT_EQ(answer.name, "vmcg-lane");
  EXPECT_TRUE(answer.blocks_sigterm);
}

}  // namespace
}  // namespace vmcg
