#include "core/operations.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "temp_dir.h"

namespace vmcg {
namespace {

std::vector<std::string> SplitNames(const std::string& bytes) {
  std::vector<std::string> names;
  std::size_t start = 0;
  for (std::size_t end = bytes.find('\0'); end != std::string::npos;
       end = bytes.find('\0', start)) {
    names.push_back(bytes.substr(start, end - start));
    start = end + 1;
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(MakeDir, MakesOneDirectory) {
  const TempDir dir;
  ASSERT_TRUE(MakeDir(dir.AsRoot(), "kata").ok());
  ASSERT_TRUE(MakeDir(dir.AsRoot(), "kata/sandbox").ok());
  struct stat info = {};
  ASSERT_EQ(stat(dir.At("kata/sandbox").c_str(), &info), 0);
  EXPECT_TRUE(S_ISDIR(info.st_mode));
  EXPECT_EQ(info.st_mode & 022, 0U);
}

TEST(MakeDir, MakesNoParents) {
  const TempDir dir;
  EXPECT_EQ(ErrorOf(MakeDir(dir.AsRoot(), "missing/sandbox")), ENOENT);
}

TEST(MakeDir, ReportsADirectoryThatExists) {
  const TempDir dir;
  ASSERT_TRUE(MakeDir(dir.AsRoot(), "kata").ok());
  const Result<Done> again = MakeDir(dir.AsRoot(), "kata");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().number, EEXIST);
  EXPECT_STREQ(again.error().syscall, "mkdirat");
}

TEST(MakeDir, RefusesWhatIsNoName) {
  const TempDir dir;
  for (const char* path : {"", ".", "..", "a/", "a/.", "a/.."}) {
    EXPECT_EQ(ErrorOf(MakeDir(dir.AsRoot(), path)), EINVAL) << path;
  }
}

TEST(MakeDir, StaysBeneathTheRoot) {
  const TempDir dir;
  std::filesystem::create_symlink(std::filesystem::temp_directory_path(), dir.At("out"));
  EXPECT_EQ(ErrorOf(MakeDir(dir.AsRoot(), "/vmcg-escaped")), EXDEV);
  EXPECT_EQ(ErrorOf(MakeDir(dir.AsRoot(), "../vmcg-escaped")), EXDEV);
  EXPECT_EQ(ErrorOf(MakeDir(dir.AsRoot(), "out/vmcg-escaped")), EXDEV);
}

TEST(RemoveDir, RemovesAnEmptyDirectory) {
  const TempDir dir;
  ASSERT_TRUE(MakeDir(dir.AsRoot(), "kata").ok());
  ASSERT_TRUE(RemoveDir(dir.AsRoot(), "kata").ok());
  EXPECT_FALSE(std::filesystem::exists(dir.At("kata")));
}

TEST(RemoveDir, NeverRemovesMoreThanTheDirectory) {
  const TempDir dir;
  dir.MakeFile("kata/file");
  EXPECT_EQ(ErrorOf(RemoveDir(dir.AsRoot(), "kata")), ENOTEMPTY);
  EXPECT_EQ(ErrorOf(RemoveDir(dir.AsRoot(), "kata/file")), ENOTDIR);
  EXPECT_EQ(ErrorOf(RemoveDir(dir.AsRoot(), "missing")), ENOENT);
  EXPECT_EQ(ErrorOf(RemoveDir(dir.AsRoot(), ".")), EINVAL);
}

TEST(WriteFile, WritesToAnExistingFile) {
  const TempDir dir;
  dir.MakeFile("kata/cpu.shares", "1024");
  ASSERT_TRUE(WriteFile(dir.AsRoot(), "kata/cpu.shares", "2048").ok());
  EXPECT_EQ(dir.TextOf("kata/cpu.shares"), "2048");
}

TEST(WriteFile, MakesNoFile) {
  const TempDir dir;
  EXPECT_EQ(ErrorOf(WriteFile(dir.AsRoot(), "cpu.shares", "2048")), ENOENT);
  EXPECT_FALSE(std::filesystem::exists(dir.At("cpu.shares")));
}

TEST(ReadFile, ReadsTheWholeFile) {
  const TempDir dir;
  dir.MakeFile("cpu.stat", "nr_periods 3\nnr_throttled 1\n");
  std::string bytes;
  ASSERT_TRUE(ReadFile(dir.AsRoot(), "cpu.stat", bytes).ok());
  EXPECT_EQ(bytes, "nr_periods 3\nnr_throttled 1\n");
}

TEST(Xattr, KeepsAValueOfADirectory) {
  const TempDir dir;
  std::string bytes;
  // Which names a file system takes differs: tmpfs has user.* since Linux 6.6 only.
  const Result<Done> set = SetXattr(dir.AsRoot(), ".", "trusted.vmcg", "nonce");
  if (ErrorOf(set) == EPERM || ErrorOf(set) == ENOTSUP) {
    GTEST_SKIP() << "no trusted extended attributes in " << dir.path();
  }
  ASSERT_EQ(ErrorOf(set), 0);
  Result<Fd> directory = dir.AsRoot().OpenBeneath(".", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory.ok());
  ASSERT_TRUE(GetXattr(*directory, "trusted.vmcg", bytes).ok());
  EXPECT_EQ(bytes, "nonce");
}

TEST(Xattr, KeepsALongValueToo) {
  const TempDir dir;
  const std::string value(1000, 'x');
  const Result<Done> set = SetXattr(dir.AsRoot(), ".", "trusted.vmcg", value);
  if (!set.ok()) GTEST_SKIP() << "no trusted extended attributes in " << dir.path();
  Result<Fd> directory = dir.AsRoot().OpenBeneath(".", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory.ok());
  std::string bytes = "before ";
  ASSERT_TRUE(GetXattr(*directory, "trusted.vmcg", bytes).ok());
  EXPECT_EQ(bytes, "before " + value);
}

TEST(Xattr, ReportsAMissingOne) {
  const TempDir dir;
  std::string bytes = "before";
  Result<Fd> directory = dir.AsRoot().OpenBeneath(".", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory.ok());
  const Result<Done> got = GetXattr(*directory, "trusted.vmcg", bytes);
  ASSERT_FALSE(got.ok());
  EXPECT_TRUE(got.error().number == ENODATA || got.error().number == ENOTSUP);
  EXPECT_STREQ(got.error().syscall, "fgetxattr");
  EXPECT_EQ(bytes, "before");
}

TEST(Xattr, WantsADirectory) {
  const TempDir dir;
  dir.MakeFile("tasks");
  EXPECT_EQ(ErrorOf(SetXattr(dir.AsRoot(), "tasks", "user.vmcg", "nonce")), ENOTDIR);
}

TEST(ListDirs, NamesDirectoriesOnly) {
  const TempDir dir;
  dir.MakeFile("kata/tasks");
  dir.MakeFile("kata/one/tasks");
  dir.MakeFile("kata/two/tasks");
  std::filesystem::create_directory_symlink("one", dir.At("kata/link"));
  std::string bytes;
  ASSERT_TRUE(ListDirs(dir.AsRoot(), "kata", bytes).ok());
  EXPECT_EQ(SplitNames(bytes), (std::vector<std::string>{"one", "two"}));
}

TEST(ListDirs, ListsTheRootItself) {
  const TempDir dir;
  dir.MakeFile("kata/tasks");
  std::string bytes;
  ASSERT_TRUE(ListDirs(dir.AsRoot(), ".", bytes).ok());
  EXPECT_EQ(SplitNames(bytes), std::vector<std::string>{"kata"});
}

}  // namespace
}  // namespace vmcg
