#include "core/device_stat.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "temp_dir.h"

namespace vmcg {
namespace {

using Words = std::array<std::int32_t, kDeviceStatWords>;

Words StatOne(const std::string& path) {
  Words words = {-1, -1, -1, -1};
  StatDevices(path, words);
  return words;
}

TEST(StatDevices, GivesTheNumbersOfADevice) {
  EXPECT_EQ(StatOne("/dev/null"), (Words{0, S_IFCHR, 1, 3}));
  EXPECT_EQ(StatOne("/dev/zero"), (Words{0, S_IFCHR, 1, 5}));
}

TEST(StatDevices, FollowsSymbolicLinks) {
  const TempDir dir;
  std::filesystem::create_symlink("/dev/null", dir.At("link"));
  EXPECT_EQ(StatOne(dir.At("link")), (Words{0, S_IFCHR, 1, 3}));
}

TEST(StatDevices, SaysWhatAFileIsThatIsNoDevice) {
  const TempDir dir;
  dir.MakeFile("file");
  EXPECT_EQ(StatOne(dir.path()), (Words{0, S_IFDIR, 0, 0}));
  EXPECT_EQ(StatOne(dir.At("file")), (Words{0, S_IFREG, 0, 0}));
}

TEST(StatDevices, SaysWhyAPathCannotBeLookedUp) {
  const TempDir dir;
  dir.MakeFile("file");
  std::filesystem::create_symlink("loop", dir.At("loop"));
  EXPECT_EQ(StatOne(dir.At("missing")), (Words{ENOENT, 0, 0, 0}));
  EXPECT_EQ(StatOne(dir.At("file/below")), (Words{ENOTDIR, 0, 0, 0}));
  EXPECT_EQ(StatOne(dir.At("loop")), (Words{ELOOP, 0, 0, 0}));
  EXPECT_EQ(StatOne(""), (Words{ENOENT, 0, 0, 0}));
}

TEST(StatDevices, LooksUpEachOfManyPaths) {
  using std::string_literals::operator""s;
  const std::string paths = "/dev/null\0\0/\0/dev/zero"s;
  ASSERT_EQ(CountPaths(paths), 4U);
  std::array<std::int32_t, 4 * kDeviceStatWords> words = {};
  StatDevices(paths, words);
  EXPECT_EQ(words, (std::array<std::int32_t, 4 * kDeviceStatWords>{
                       0, S_IFCHR, 1, 3, ENOENT, 0, 0, 0, 0, S_IFDIR, 0, 0, 0, S_IFCHR, 1, 5}));
}

}  // namespace
}  // namespace vmcg
