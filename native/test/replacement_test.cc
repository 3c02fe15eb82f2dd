#include "core/replacement.h"

#include <sys/stat.h>

#include <filesystem>

#include "batch_builder.h"
#include "core/batch_run.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

using Errors = std::vector<std::int32_t>;

unsigned ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

TEST(Replacement, PutsANewFileForItsOwnerInTheOldOnesPlace) {
  const TempDir dir;
  dir.MakeFile("sub/state", "old");
  Result<Replacement> file = Replacement::Write(dir.AsRoot(), "sub/state", "state.new", "new");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(dir.TextOf("sub/state"), "old");
  EXPECT_TRUE(file->Rename().ok());
  EXPECT_EQ(dir.TextOf("sub/state"), "new");
  EXPECT_EQ(ModeOf(dir.At("sub/state")), 0600U);
  EXPECT_FALSE(std::filesystem::exists(dir.At("sub/state.new")));
}

TEST(Replacement, LeavesTheOldFileWhereItIsNotRenamed) {
  const TempDir dir;
  dir.MakeFile("state", "old");
  ASSERT_TRUE(Replacement::Write(dir.AsRoot(), "state", "state.new", "new").ok());
  EXPECT_EQ(dir.TextOf("state"), "old");
  EXPECT_FALSE(std::filesystem::exists(dir.At("state.new")));
}

TEST(Replacement, TakesUpNothingOfATemporaryFileThatWasLeft) {
  const TempDir dir;
  dir.MakeFile("state.new", "much longer than what is written");
  std::filesystem::permissions(dir.At("state.new"), std::filesystem::perms::all);
  Result<Replacement> file = Replacement::Write(dir.AsRoot(), "state", "state.new", "new");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->Rename().ok());
  EXPECT_EQ(dir.TextOf("state"), "new");
  EXPECT_EQ(ModeOf(dir.At("state")), 0600U);
}

TEST(Replacement, ReplacesLinksAndLeavesWhatTheyLeadTo) {
  const TempDir dir;
  dir.MakeFile("target", "mine");
  for (const char* name : {"state", "state.new"}) {
    std::filesystem::create_symlink("target", dir.At(name));
  }
  Result<Replacement> file = Replacement::Write(dir.AsRoot(), "state", "state.new", "new");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->Rename().ok());
  EXPECT_EQ(dir.TextOf("target"), "mine");
  EXPECT_EQ(dir.TextOf("state"), "new");
}

TEST(Replacement, ReportsWhatCannotBeReplacedByItsSystemCall) {
  const TempDir dir;
  dir.MakeFile("directory/full");
  Result<Replacement> file = Replacement::Write(dir.AsRoot(), "directory", "x.new", "new");
  ASSERT_TRUE(file.ok());
  const Result<Done> renamed = file->Rename();
  ASSERT_FALSE(renamed.ok());
  EXPECT_EQ(renamed.error().number, EISDIR);
  EXPECT_STREQ(renamed.error().syscall, "renameat");
}

TEST(Replacement, RefusesPathsAndNamesThatLeadElsewhere) {
  const TempDir dir;
  EXPECT_EQ(ErrorOf(Replacement::Write(dir.AsRoot(), "missing/state", "x.new", "new")), ENOENT);
  EXPECT_EQ(ErrorOf(Replacement::Write(dir.AsRoot(), "../state", "x.new", "new")), EXDEV);
  for (const char* no_name : {"", "a/b"}) {
    EXPECT_EQ(ErrorOf(Replacement::Write(dir.AsRoot(), "state", no_name, "new")), EINVAL);
  }
}

TEST(RunBurst, ReplacesTheFilesOfAllBatchesAndFailsOneAlone) {
  const TempDir dir;
  dir.MakeFile("a", "old");
  std::vector<BatchBuilder> builders;
  for (const char* name : {"a", "missing/b", "c"}) {
    builders.emplace_back(dir.AsRoot())
        .Add(OpCode::kReplaceFile, name, "new", "x-" + std::to_string(builders.size()))
        .Add(OpCode::kMakeDir, "done-" + std::to_string(builders.size()));
  }
  std::vector<const Batch*> batches;
  batches.reserve(builders.size());
  for (const BatchBuilder& builder : builders) batches.push_back(&builder.batch());
  const std::vector<BatchResult> results = RunBurst(batches);
  EXPECT_EQ(ErrorsOf(results[0]), (Errors{0, 0}));
  EXPECT_EQ(ErrorsOf(results[1]), (Errors{ENOENT, kNotRun}));
  EXPECT_EQ(BytesOf(results[1], 0), "openat2");
  EXPECT_EQ(ErrorsOf(results[2]), (Errors{0, 0}));
  EXPECT_EQ(dir.TextOf("a") + dir.TextOf("c"), "newnew");
}

TEST(RunBatch, RenamesNothingBehindAReplacementOfItsGroupThatFailed) {
  const TempDir dir;
  dir.MakeFile("b", "old");
  BatchBuilder builder(dir.AsRoot());
  builder.Add(OpCode::kReplaceFile, "missing/a", "new", "a.new")
      .Add(OpCode::kReplaceFile, "b", "new", "b.new")
      .Group(1)
      .Add(OpCode::kReplaceFile, "c", "new", "c.new");
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (Errors{ENOENT, kNotRun, 0}));
  EXPECT_EQ(dir.TextOf("b"), "old");
  EXPECT_EQ(dir.TextOf("c"), "new");
  EXPECT_FALSE(std::filesystem::exists(dir.At("b.new")));
}

}  // namespace
}  // namespace vmcg
