#include "core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "temp_dir.h"

namespace vmcg {
namespace {

TEST(LockFile, MakesAFileForItsOwnerOnly) {
  const TempDir dir;
  const Result<Fd> lock = LockFile(dir.At("lock"), "1\n");
  ASSERT_TRUE(lock.ok());
  struct stat info = {};
  ASSERT_EQ(fstat(lock->get(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(fcntl(lock->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(LockFile, HoldsTheNameOfItsHolderOverWhatWasThere) {
  const TempDir dir;
  dir.MakeFile("lock", "123\n");
  ASSERT_TRUE(LockFile(dir.At("lock"), "7  \n").ok());
  EXPECT_EQ(dir.TextOf("lock"), "7  \n");
}

TEST(LockFile, HasOneHolder) {
  const TempDir dir;
  {
    const Result<Fd> first = LockFile(dir.At("lock"), "1\n");
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(ErrorOf(LockFile(dir.At("lock"), "1\n")), EWOULDBLOCK);
  }
  EXPECT_TRUE(LockFile(dir.At("lock"), "1\n").ok());
}

TEST(LockFile, FollowsNoLink) {
  const TempDir dir;
  dir.MakeFile("target");
  std::filesystem::create_symlink("target", dir.At("lock"));
  EXPECT_EQ(ErrorOf(LockFile(dir.At("lock"), "1\n")), ELOOP);
}

TEST(LockFile, ReportsAMissingDirectory) {
  const TempDir dir;
  EXPECT_EQ(ErrorOf(LockFile(dir.At("missing/lock"), "1\n")), ENOENT);
}

TEST(LockFile, TakesTheNewFileWhenTheOldOneWasUnlinked) {
  const TempDir dir;
  const Result<Fd> old = LockFile(dir.At("lock"), "1\n");
  ASSERT_TRUE(old.ok());
  std::filesystem::remove(dir.At("lock"));
  const Result<Fd> lock = LockFile(dir.At("lock"), "1\n");
  ASSERT_TRUE(lock.ok());
  struct stat locked = {};
  struct stat named = {};
  ASSERT_EQ(fstat(lock->get(), &locked), 0);
  ASSERT_EQ(stat(dir.At("lock").c_str(), &named), 0);
  EXPECT_EQ(locked.st_ino, named.st_ino);
}

TEST(LockFile, NeverHasTwoHoldersThoughEachUnlinksItsFile) {
  const TempDir dir;
  std::atomic<int> holders = 0;
  std::atomic<int> most = 0;
  std::atomic<int> taken = 0;
  const auto contend = [&] {
    while (taken < 2'000) {
      Result<Fd> lock = LockFile(dir.At("lock"), "1\n");
      if (!lock.ok()) {
        ASSERT_EQ(lock.error().number, EWOULDBLOCK);
        continue;
      }
      const int now = ++holders;
      if (now > most) most = now;
      ++taken;
      // From here on the next holder may be in.
      --holders;
      std::filesystem::remove(dir.At("lock"));
    }
  };
  std::array<std::thread, 4> threads;
  for (std::thread& thread : threads) thread = std::thread(contend);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace vmcg
