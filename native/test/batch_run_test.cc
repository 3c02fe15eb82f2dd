#include "core/batch_run.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include "batch_builder.h"
#include "core/task_list.h"
#include "pipe.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

using Errors = std::vector<std::int32_t>;

TEST(RunBatch, RunsEveryKindOfOperation) {
  const TempDir dir;
  dir.MakeFile("tasks");
  dir.MakeFile("cpu.shares");
  dir.MakeFile("100/task/100/stat", "100 (qemu) S 1 1 1 0 -1 64 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n");
  BatchBuilder builder(dir.AsRoot());
  builder.Add(OpCode::kMakeDir, "kata")
      .Add(OpCode::kListDirs, ".")
      .Add(OpCode::kRemoveDir, "kata")
      .Add(OpCode::kWrite, "cpu.shares", "2048")
      .Add(OpCode::kRead, "cpu.shares")
      .AddIds("tasks", {17})
      .Add(OpCode::kListTasks, "100");
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (Errors{0, 0, 0, 0, 0, 0, 0}));
  EXPECT_NE(BytesOf(result, 1).find(std::string("kata\0", 5)), std::string::npos);
  EXPECT_EQ(BytesOf(result, 4), "2048");
  EXPECT_EQ(result.operations[5].done, 1);
  EXPECT_EQ(dir.TextOf("tasks"), "17");
  EXPECT_EQ(BytesOf(result, 6).size(), sizeof(TaskRecord));
  EXPECT_FALSE(std::filesystem::exists(dir.At("kata")));
}

TEST(RunBatch, KeepsAnAttributeAndReadsItBack) {
  const TempDir dir;
  BatchBuilder builder(dir.AsRoot());
  builder.Add(OpCode::kSetXattr, ".", "nonce", "trusted.vmcg")
      .Add(OpCode::kInspect, ".", "", "trusted.vmcg");
  const BatchResult result = RunBatch(builder.batch());
  if (result.operations[0].error == EPERM || result.operations[0].error == ENOTSUP) {
    GTEST_SKIP() << "no trusted extended attributes in " << dir.path();
  }
  EXPECT_EQ(ErrorsOf(result), (Errors{0, 0}));
  EXPECT_EQ(BytesOf(result, 1), BytesOfWords({1, 0, 5}) + "nonce");
}

TEST(RunBatch, StopsOnlyTheGroupOfAFailure) {
  const TempDir dir;
  dir.MakeFile("a", "A");
  BatchBuilder builder(dir.AsRoot());
  builder.Group(0).Add(OpCode::kRead, "a").Add(OpCode::kRead, "missing").Add(OpCode::kRead, "a");
  builder.Group(4).Add(OpCode::kRead, "a");
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (Errors{0, ENOENT, kNotRun, 0}));
  EXPECT_EQ(BytesOf(result, 2), "");
  EXPECT_EQ(BytesOf(result, 3), "A");
}

TEST(RunBatch, GoesOnBehindAnOptionalFailure) {
  const TempDir dir;
  dir.MakeFile("a", "A");
  BatchBuilder builder(dir.AsRoot());
  builder.AddOptional(OpCode::kRead, "missing").Add(OpCode::kRead, "a");
  EXPECT_EQ(ErrorsOf(RunBatch(builder.batch())), (Errors{ENOENT, 0}));
}

TEST(RunBatch, NamesTheSystemCallThatFailed) {
  const TempDir dir;
  dir.MakeFile("kata/file");
  BatchBuilder builder(dir.AsRoot());
  builder.Group(0).Add(OpCode::kRead, "missing");
  builder.Group(1).Add(OpCode::kRemoveDir, "kata");
  builder.Group(2).Add(OpCode::kRead, "kata");
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(BytesOf(result, 0), "openat2");
  EXPECT_EQ(BytesOf(result, 1), "unlinkat");
  EXPECT_EQ(BytesOf(result, 2), "read");
}

TEST(RunBatch, OpensARunOfWriteIdsBeforeItWritesTheFirst) {
  const TempDir dir;
  dir.MakeFile("second");
  Pipe first(dir.At("first"));
  first.Fill();
  BatchBuilder builder(dir.AsRoot());
  builder.AddIds("first", {1}).AddIds("second", {2});
  std::thread lane([&builder] { RunBatch(builder.batch()); });

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

TEST(RunBatch, WritesTheIdsBeforeAFailedOpenAndNotThoseBehindIt) {
  const TempDir dir;
  dir.MakeFile("first");
  BatchBuilder builder(dir.AsRoot());
  builder.AddIds("first", {1}).AddIds("missing", {2}).AddIds("first", {3});
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (Errors{0, ENOENT, kNotRun}));
  EXPECT_EQ(result.id_errors, (Errors{0, kNotRun, kNotRun}));
  EXPECT_EQ(dir.TextOf("first"), "1");
}

TEST(RunBatch, WritesIdsOfOtherGroupsBehindAFailedOpen) {
  const TempDir dir;
  dir.MakeFile("a");
  dir.MakeFile("b");
  BatchBuilder builder(dir.AsRoot());
  builder.Group(0).AddIds("missing", {1}).AddIds("a", {2});
  builder.Group(1).AddIds("b", {3, 0, 4});
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (Errors{ENOENT, kNotRun, 0}));
  EXPECT_EQ(result.id_errors, (Errors{kNotRun, kNotRun, 0, EINVAL, 0}));
  EXPECT_EQ(result.operations[2].done, 2);
  EXPECT_EQ(dir.TextOf("a"), "");
}

TEST(RunBatch, TakesARunThatIsLongerThanItMayOpen) {
  const TempDir dir;
  dir.MakeFile("tasks");
  BatchBuilder builder(dir.AsRoot());
  for (std::int32_t id = 1; id <= 3'000; ++id) builder.AddIds("tasks", {id});
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), Errors(3'000, 0));
  EXPECT_EQ(result.id_errors, Errors(3'000, 0));
}

TEST(RunBatch, RunsABatchOfNothing) {
  const BatchResult result = RunBatch(Batch{});
  EXPECT_TRUE(result.operations.empty());
  EXPECT_TRUE(result.bytes.empty());
}

}  // namespace
}  // namespace vmcg
