#include <chrono>
#include <thread>

#include "batch_builder.h"
#include "core/batch_run.h"
#include "pipe.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

using Errors = std::vector<std::int32_t>;

std::vector<BatchResult> RunTogether(const std::vector<BatchBuilder>& builders) {
  std::vector<const Batch*> batches;
  batches.reserve(builders.size());
  for (const BatchBuilder& builder : builders) batches.push_back(&builder.batch());
  return RunBurst(batches);
}

TEST(RunBurst, MigratesForAllBatchesBackToBackAndKeepsTheOrderInEach) {
  const TempDir dir;
  Pipe log(dir.At("log"));
  std::vector<BatchBuilder> builders;
  for (const std::int32_t id : {1, 2, 3}) {
    const std::string name = std::to_string(id);
    builders.emplace_back(dir.AsRoot());
    builders.back()
        .Add(OpCode::kWrite, "log", "(before " + name + ")")
        .AddIds("log", {id})
        .Add(OpCode::kWrite, "log", "(after " + name + ")");
  }
  const std::vector<BatchResult> results = RunTogether(builders);
  EXPECT_EQ(log.Drain(), "(before 1)(before 2)(before 3)123(after 1)(after 2)(after 3)");
  for (const BatchResult& result : results) EXPECT_EQ(ErrorsOf(result), (Errors{0, 0, 0}));
}

TEST(RunBurst, OpensWhatAllBatchesMigrateToBeforeTheFirstMigration) {
  const TempDir dir;
  dir.MakeFile("second");
  Pipe first(dir.At("first"));
  first.Fill();
  std::vector<BatchBuilder> builders;
  builders.emplace_back(dir.AsRoot()).AddIds("first", {1});
  builders.emplace_back(dir.AsRoot()).AddIds("second", {2});
  std::thread lane([&builders] { RunTogether(builders); });

  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool is_open = false;
  while (!is_open && std::chrono::steady_clock::now() < deadline) {
    is_open = HasOpen(dir.At("second"));
  }
  EXPECT_TRUE(is_open);
  EXPECT_EQ(dir.TextOf("second"), "");
  first.Drain();
  lane.join();
  EXPECT_EQ(dir.TextOf("second"), "2");
}

TEST(RunBurst, StopsTheBatchOfAFailureAndNoOther) {
  const TempDir dir;
  dir.MakeFile("tasks");
  std::vector<BatchBuilder> builders;
  for (const char* directory : {"a", "missing/b", "c"}) {
    builders.emplace_back(dir.AsRoot()).Add(OpCode::kMakeDir, directory).AddIds("tasks", {7});
  }
  const std::vector<BatchResult> results = RunTogether(builders);
  EXPECT_EQ(ErrorsOf(results[0]), (Errors{0, 0}));
  EXPECT_EQ(ErrorsOf(results[1]), (Errors{ENOENT, kNotRun}));
  EXPECT_EQ(ErrorsOf(results[2]), (Errors{0, 0}));
}

TEST(RunBurst, WritesNoKnobBehindMigrationsBeforeTheLastMigrationOfMoreThanCanBeOpenAtOnce) {
  const TempDir dir;
  Pipe log(dir.At("log"));
  std::vector<BatchBuilder> builders;
  std::string expected;
  for (int batch = 0; batch < 3; ++batch) {
    builders.emplace_back(dir.AsRoot());
    for (int count = 0; count < 200; ++count) builders.back().AddIds("log", {batch + 1});
    builders.back().Add(OpCode::kWrite, "log", "!");
    expected += std::string(200, static_cast<char>('1' + batch));
  }
  const std::vector<BatchResult> results = RunTogether(builders);
  EXPECT_EQ(log.Drain(), expected + "!!!");
  for (const BatchResult& result : results) EXPECT_EQ(ErrorsOf(result), Errors(201, 0));
}

TEST(RunBurst, GivesEachBatchItsOwnBytes) {
  const TempDir dir;
  dir.MakeFile("a", "A");
  dir.MakeFile("b", "B");
  std::vector<BatchBuilder> builders;
  builders.emplace_back(dir.AsRoot()).Add(OpCode::kRead, "a");
  builders.emplace_back(dir.AsRoot()).Add(OpCode::kRead, "b");
  const std::vector<BatchResult> results = RunTogether(builders);
  EXPECT_EQ(results[0].bytes, "A");
  EXPECT_EQ(results[1].bytes, "B");
}

TEST(RunBurst, OfNothingIsNothing) { EXPECT_TRUE(RunBurst({}).empty()); }

}  // namespace
}  // namespace vmcg
