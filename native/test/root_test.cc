#include "core/root.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "core/file_io.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

class RootTest : public testing::TestWithParam<Root::Lookup> {
 protected:
  [[nodiscard]] static Root OpenRoot(const std::string& path) {
    Result<Root> root = Root::Open(path, GetParam());
    EXPECT_TRUE(root.ok());
    return std::move(*root);
  }

  [[nodiscard]] int ErrorOfOpening(const std::string& path) const {
    return ErrorOf(OpenRoot(dir_.path()).OpenBeneath(path, O_RDONLY));
  }

  TempDir dir_;
};

INSTANTIATE_TEST_SUITE_P(EachLookup, RootTest,
                         testing::Values(Root::Lookup::kOpenat2, Root::Lookup::kStepwise),
                         [](const auto& test) {
                           return test.param == Root::Lookup::kOpenat2 ? "Openat2" : "Stepwise";
                         });

TEST_P(RootTest, OpensAFileBelow) {
  dir_.MakeFile("kata/sandbox/cpu.shares", "1024\n");
  Result<Fd> file = OpenRoot(dir_.path()).OpenBeneath("kata/sandbox/cpu.shares", O_RDONLY);
  ASSERT_TRUE(file.ok());
  std::string text;
  ASSERT_TRUE(ReadToEnd(*file, text).ok());
  EXPECT_EQ(text, "1024\n");
}

TEST_P(RootTest, OpensCloseOnExec) {
  dir_.MakeFile("tasks");
  Result<Fd> file = OpenRoot(dir_.path()).OpenBeneath("tasks", O_RDONLY);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(fcntl(file->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_P(RootTest, TakesADotForItself) {
  Result<Fd> self = OpenRoot(dir_.path()).OpenBeneath(".", O_PATH | O_DIRECTORY);
  ASSERT_TRUE(self.ok());
  struct stat by_root = {};
  struct stat by_path = {};
  ASSERT_EQ(fstat(self->get(), &by_root), 0);
  ASSERT_EQ(stat(dir_.path().c_str(), &by_path), 0);
  EXPECT_EQ(by_root.st_ino, by_path.st_ino);
}

TEST_P(RootTest, AllowsRepeatedAndTrailingSlashes) {
  dir_.MakeFile("a/b/file");
  EXPECT_EQ(ErrorOfOpening("a//b///file"), 0);
  EXPECT_EQ(ErrorOfOpening("a/b/"), 0);
}

TEST_P(RootTest, RefusesDotDot) {
  dir_.MakeFile("a/file");
  EXPECT_EQ(ErrorOfOpening(".."), EXDEV);
  EXPECT_EQ(ErrorOfOpening("../etc/passwd"), EXDEV);
  EXPECT_EQ(ErrorOfOpening("a/../a/file"), EXDEV);
  EXPECT_EQ(ErrorOfOpening("a/.."), EXDEV);
}

TEST_P(RootTest, RefusesAbsolutePaths) {
  EXPECT_EQ(ErrorOfOpening("/"), EXDEV);
  EXPECT_EQ(ErrorOfOpening("/etc/passwd"), EXDEV);
}

TEST_P(RootTest, RefusesAnEmptyPath) { EXPECT_EQ(ErrorOfOpening(""), ENOENT); }

TEST_P(RootTest, RefusesALinkThatLeadsOut) {
  std::filesystem::create_symlink("/etc", dir_.At("etc"));
  std::filesystem::create_symlink("/etc/passwd", dir_.At("passwd"));
  EXPECT_NE(ErrorOfOpening("etc/passwd"), 0);
  EXPECT_NE(ErrorOfOpening("passwd"), 0);
}

TEST_P(RootTest, RefusesMagicLinks) {
  EXPECT_NE(ErrorOf(OpenRoot("/proc").OpenBeneath("self/root/etc/passwd", O_RDONLY)), 0);
  EXPECT_NE(ErrorOf(OpenRoot("/proc").OpenBeneath("self/exe", O_RDONLY)), 0);
}

TEST_P(RootTest, NeverMakesAFile) {
  EXPECT_EQ(ErrorOf(OpenRoot(dir_.path()).OpenBeneath("missing", O_WRONLY)), ENOENT);
  EXPECT_FALSE(std::filesystem::exists(dir_.At("missing")));
}

TEST_P(RootTest, StaysOnCgroup2) {
  const Result<Root> root = Root::Open("/sys/fs/cgroup/unified", GetParam());
  if (!root.ok()) GTEST_SKIP() << "no cgroup2 at /sys/fs/cgroup/unified";
  EXPECT_EQ(ErrorOf(root->OpenBeneath("cgroup.procs", O_RDONLY)), 0);
}

TEST(RootOpen, FindsOutWhichLookupWorks) {
  const TempDir dir;
  const Result<Root> root = Root::Open(dir.path());
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->lookup(), Root::Lookup::kOpenat2);
}

TEST(RootOpen, WantsADirectory) {
  const TempDir dir;
  dir.MakeFile("file");
  EXPECT_EQ(ErrorOf(Root::Open(dir.At("file"))), ENOTDIR);
  EXPECT_EQ(ErrorOf(Root::Open(dir.At("missing"))), ENOENT);
}

TEST(RootOpen, StepwiseRefusesAnotherFileSystemBelow) {
  // /proc is a mount point below /.
  const Result<Root> root = Root::Open("/", Root::Lookup::kStepwise);
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(ErrorOf(root->OpenBeneath("proc/version", O_RDONLY)), EXDEV);
}

}  // namespace
}  // namespace vmcg
