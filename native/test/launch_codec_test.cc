#include "core/launch_codec.h"

#include <fcntl.h>

#include "temp_dir.h"

namespace vmcg {
namespace {

using namespace std::string_view_literals;

class LaunchCodecTest : public testing::Test {
 protected:
  void SetUp() override { roots_.emplace(3, std::make_shared<const Root>(directory_.AsRoot())); }

  Result<LaunchRequest> Decode(const std::vector<std::int32_t>& words, std::string_view strings) {
    return DecodeLaunch(words, strings, roots_);
  }

 private:
  TempDir directory_;
  RootTable roots_;
};

TEST_F(LaunchCodecTest, ReadsArgumentsEnvironmentDescriptorsAndFiles) {
  const Result<LaunchRequest> request =
      Decode({2, 1, 3, 2, -2, -1, 0, 3, 0, 3, 1}, "prog\0\0A=b\0vm/tasks\0vm"sv);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->arguments, (std::vector<std::string>{"prog", ""}));
  EXPECT_EQ(request->environment, std::vector<std::string>{"A=b"});
  ASSERT_EQ(request->stdio.size(), 3U);
  EXPECT_EQ(request->stdio[0].kind, LaunchStdio::Kind::kPipe);
  EXPECT_EQ(request->stdio[1].kind, LaunchStdio::Kind::kNullDevice);
  EXPECT_EQ(request->stdio[2].kind, LaunchStdio::Kind::kGiven);
  EXPECT_GT(request->stdio[2].given.get(), 0);
  ASSERT_EQ(request->files.size(), 2U);
  EXPECT_EQ(request->files[0].path, "vm/tasks");
  EXPECT_FALSE(request->files[0].is_directory);
  EXPECT_TRUE(request->files[1].is_directory);
}

TEST_F(LaunchCodecTest, RefusesWhatIsMalformed) {
  EXPECT_EQ(ErrorOf(Decode({}, "")), EINVAL);
  EXPECT_EQ(ErrorOf(Decode({0, 0, 0, 0}, "")), EINVAL);
  EXPECT_EQ(ErrorOf(Decode({1, -1, 0, 0}, "prog")), EINVAL);
  EXPECT_EQ(ErrorOf(Decode({1, 1, 0, 0}, "prog")), EINVAL);
  EXPECT_EQ(ErrorOf(Decode({1, 0, 0, 0}, "prog\0more"sv)), EINVAL);
  EXPECT_EQ(ErrorOf(Decode({1, 0, 1, 0}, "prog")), EINVAL);
  EXPECT_EQ(ErrorOf(Decode({1, 0, 1, 0, -3}, "prog")), EINVAL);
}

TEST_F(LaunchCodecTest, RefusesAPipeBehindTheFirstThreeDescriptors) {
  EXPECT_EQ(ErrorOf(Decode({1, 0, 4, 0, -1, -1, -1, -2}, "prog")), EINVAL);
}

TEST_F(LaunchCodecTest, RefusesUnknownRootsAndDescriptors) {
  EXPECT_EQ(ErrorOf(Decode({1, 0, 0, 1, 4, 0}, "prog\0tasks"sv)), EBADF);
  EXPECT_EQ(ErrorOf(Decode({1, 0, 1, 0, 1'000'000}, "prog")), EBADF);
}

}  // namespace
}  // namespace vmcg
