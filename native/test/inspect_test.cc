#include "core/inspect.h"

#include <filesystem>

#include "batch_builder.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

TEST(Inspect, AnswersForEachFileInOrder) {
  const TempDir dir;
  dir.MakeFile("vm/cpu.shares", "1024\n");
  dir.MakeFile("vm/tasks");
  std::string bytes = "before";
  ASSERT_TRUE(
      Inspect(dir.AsRoot(), "vm", {.attribute = "", .files = "cpu.shares/gone/tasks"}, bytes).ok());
  EXPECT_EQ(bytes, "before" + BytesOfWords({4, ENODATA, 0, 0, 5, ENOENT, 0, 0, 0}) + "1024\n");
}

TEST(Inspect, LooksAtTheRootToo) {
  const TempDir dir;
  dir.MakeFile("a", "A");
  std::string bytes;
  ASSERT_TRUE(Inspect(dir.AsRoot(), ".", {.attribute = "", .files = "a"}, bytes).ok());
  EXPECT_EQ(bytes, BytesOfWords({2, ENODATA, 0, 0, 1}) + "A");
}

TEST(Inspect, AsksNothingWhereNoFilesAreWanted) {
  const TempDir dir;
  std::string bytes;
  ASSERT_TRUE(Inspect(dir.AsRoot(), ".", {}, bytes).ok());
  EXPECT_EQ(bytes, BytesOfWords({1, ENODATA, 0}));
}

TEST(Inspect, FailsWhereThereIsNoDirectory) {
  const TempDir dir;
  dir.MakeFile("file");
  std::string bytes = "before";
  EXPECT_EQ(ErrorOf(Inspect(dir.AsRoot(), "missing", {.attribute = "", .files = "a"}, bytes)),
            ENOENT);
  EXPECT_EQ(ErrorOf(Inspect(dir.AsRoot(), "file", {.attribute = "", .files = "a"}, bytes)),
            ENOTDIR);
  EXPECT_EQ(bytes, "before");
}

class InspectByEveryLookup : public testing::TestWithParam<Root::Lookup> {};

TEST_P(InspectByEveryLookup, StaysInTheDirectory) {
  const TempDir outside;
  outside.MakeFile("secret", "s");
  const TempDir dir;
  dir.MakeFile("vm/inside", "i");
  std::filesystem::create_symlink(outside.At("secret"), dir.At("vm/link"));
  Result<Root> root = Root::Open(dir.path(), GetParam());
  ASSERT_TRUE(root.ok());
  std::string bytes;
  ASSERT_TRUE(Inspect(*root, "vm", {.attribute = "", .files = "link/../inside"}, bytes).ok());
  const int link_error = GetParam() == Root::Lookup::kOpenat2 ? EXDEV : ELOOP;
  EXPECT_EQ(bytes, BytesOfWords({4, ENODATA, 0, link_error, 0, EXDEV, 0, 0, 1}) + "i");
  EXPECT_EQ(ErrorOf(Inspect(*root, "../x", {}, bytes)), EXDEV);
}

INSTANTIATE_TEST_SUITE_P(Lookups, InspectByEveryLookup,
                         testing::Values(Root::Lookup::kOpenat2, Root::Lookup::kStepwise));

}  // namespace
}  // namespace vmcg
