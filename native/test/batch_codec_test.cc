#include "core/batch_codec.h"

#include <cstring>
#include <random>
#include <vector>

#include "temp_dir.h"

namespace vmcg {
namespace {

using Words = std::vector<std::int32_t>;

constexpr std::int32_t kRoot = 3;

class DecodeBatchTest : public testing::Test {
 protected:
  DecodeBatchTest() { roots_.emplace(kRoot, std::make_shared<const Root>(dir_.AsRoot())); }

  Result<Batch> Decode(const Words& words, std::string_view strings, const Words& ids = {}) {
    return DecodeBatch(words, strings, ids, roots_);
  }

  int ErrorOfDecoding(const Words& words, std::string_view strings, const Words& ids = {}) {
    return ErrorOf(Decode(words, strings, ids));
  }

  TempDir dir_;
  RootTable roots_;
};

TEST_F(DecodeBatchTest, ReadsEveryWord) {
  using std::string_literals::operator""s;
  Result<Batch> batch =
      Decode({5 | kOptionalFlag, kRoot, 1, -1, -1, 1, 2, 9}, "a\0b/tasks"s, {10, 11, 12});
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->strings, (std::vector<std::string>{"a", "b/tasks"}));
  EXPECT_EQ(batch->ids, (Words{10, 11, 12}));
  ASSERT_EQ(batch->operations.size(), 1U);
  const Operation& operation = batch->operations[0];
  EXPECT_EQ(operation.code, OpCode::kWriteIds);
  EXPECT_TRUE(operation.optional);
  EXPECT_EQ(operation.root, roots_.at(kRoot));
  EXPECT_EQ(operation.path, 1);
  EXPECT_EQ(operation.ids_start, 1);
  EXPECT_EQ(operation.ids_count, 2);
  EXPECT_EQ(operation.group, 9);
}

TEST_F(DecodeBatchTest, TakesABatchOfNothing) {
  Result<Batch> batch = Decode({}, "");
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->operations.empty());
}

TEST_F(DecodeBatchTest, RefusesHalfAnOperation) {
  EXPECT_EQ(ErrorOfDecoding({4, kRoot, 0, -1, -1, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({4, kRoot, 0, -1, -1, 0, 0, 0, 4}, "a"), EINVAL);
}

TEST_F(DecodeBatchTest, RefusesUnknownOpcodesAndFlags) {
  for (const std::int32_t code : {0, 14, -1, 4 | 0x200, 4 | 0x10000, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(ErrorOfDecoding({code, kRoot, 0, -1, -1, 0, 0, 0}, "a"), EINVAL) << code;
  }
}

TEST_F(DecodeBatchTest, RefusesAnUnknownRoot) {
  EXPECT_EQ(ErrorOfDecoding({4, 0, 0, -1, -1, 0, 0, 0}, "a"), EBADF);
}

TEST_F(DecodeBatchTest, RefusesAPathThatIsNotThere) {
  for (const std::int32_t path : {-1, 1, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(ErrorOfDecoding({4, kRoot, path, -1, -1, 0, 0, 0}, "a"), EINVAL) << path;
  }
}

TEST_F(DecodeBatchTest, WantsAValueToWrite) {
  EXPECT_EQ(ErrorOfDecoding({3, kRoot, 0, -1, -1, 0, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({3, kRoot, 0, 1, -1, 0, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({3, kRoot, 0, 0, -1, 0, 0, 0}, "a"), 0);
}

TEST_F(DecodeBatchTest, WantsTheNameOfAnAttribute) {
  EXPECT_EQ(ErrorOfDecoding({6, kRoot, 0, 0, -1, 0, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({6, kRoot, 0, 0, 0, 0, 0, 0}, "a"), 0);
}

TEST_F(DecodeBatchTest, WantsTheNamesOfFilesToInspect) {
  EXPECT_EQ(ErrorOfDecoding({7, kRoot, 0, -1, 0, 0, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({7, kRoot, 0, 0, 1, 0, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({7, kRoot, 0, 0, 0, 0, 0, 0}, "a"), 0);
  EXPECT_EQ(ErrorOfDecoding({7, kRoot, 0, 0, -1, 0, 0, 0}, "a"), 0);
}

TEST_F(DecodeBatchTest, WantsATextAndATemporaryNameToReplaceAFile) {
  EXPECT_EQ(ErrorOfDecoding({13, kRoot, 0, -1, 0, 0, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({13, kRoot, 0, 0, -1, 0, 0, 0}, "a"), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({13, kRoot, 0, 0, 0, 0, 0, 0}, "a"), 0);
}

TEST_F(DecodeBatchTest, TakesASwitchForListTasks) {
  EXPECT_EQ(ErrorOfDecoding({8, kRoot, 0, -1, 1, 0, 0, 0}, "a"), 0);
  EXPECT_EQ(ErrorOfDecoding({8, kRoot, 0, -1, 2, 0, 0, 0}, "a"), EINVAL);
}

TEST_F(DecodeBatchTest, WantsWholeInstructionsAndANameForAProgram) {
  const Words program{1, 2, 3, 4};
  EXPECT_EQ(ErrorOfDecoding({10, kRoot, 0, 0, 0, 0, 4, 0}, "a", program), 0);
  EXPECT_EQ(ErrorOfDecoding({10, kRoot, 0, 0, 0, 0, 3, 0}, "a", program), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({10, kRoot, 0, 0, 0, 0, 0, 0}, "a", program), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({10, kRoot, 0, -1, 0, 0, 4, 0}, "a", program), EINVAL);
}

TEST_F(DecodeBatchTest, WantsTheIdOfAProgramToRemove) {
  EXPECT_EQ(ErrorOfDecoding({10, kRoot, 0, 0, -1, 0, 2, 0}, "a", {1, 2}), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({11, kRoot, 0, -1, 7, 0, 0, 0}, "a"), 0);
  EXPECT_EQ(ErrorOfDecoding({11, kRoot, 0, -1, 0, 0, 0, 0}, "a"), EINVAL);
}

TEST_F(DecodeBatchTest, RefusesIdsThatAreNotThere) {
  const Words ids{1, 2};
  EXPECT_EQ(ErrorOfDecoding({5, kRoot, 0, -1, -1, 0, 3, 0}, "a", ids), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({5, kRoot, 0, -1, -1, -1, 1, 0}, "a", ids), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({5, kRoot, 0, -1, -1, 0, -1, 0}, "a", ids), EINVAL);
  EXPECT_EQ(ErrorOfDecoding({5, kRoot, 0, -1, -1, INT32_MAX, INT32_MAX, 0}, "a", ids), EINVAL);
}

TEST_F(DecodeBatchTest, RefusesIdsOfAnOperationThatHasNone) {
  EXPECT_EQ(ErrorOfDecoding({4, kRoot, 0, -1, -1, 0, 1, 0}, "a", {1}), EINVAL);
}

TEST_F(DecodeBatchTest, RefusesToWriteTheSameIdsTwice) {
  const Words overlapping{5, kRoot, 0, -1, -1, 0, 2, 0, 5, kRoot, 0, -1, -1, 1, 1, 0};
  const Words adjacent{5, kRoot, 0, -1, -1, 0, 1, 0, 5, kRoot, 0, -1, -1, 1, 1, 0};
  EXPECT_EQ(ErrorOfDecoding(overlapping, "a", {1, 2}), EINVAL);
  EXPECT_EQ(ErrorOfDecoding(adjacent, "a", {1, 2}), 0);
}

TEST_F(DecodeBatchTest, RefusesGroupsThatDescend) {
  EXPECT_EQ(ErrorOfDecoding({4, kRoot, 0, -1, -1, 0, 0, 1, 4, kRoot, 0, -1, -1, 0, 0, 0}, "a"),
            EINVAL);
  EXPECT_EQ(ErrorOfDecoding({4, kRoot, 0, -1, -1, 0, 0, -1}, "a"), EINVAL);
}

TEST_F(DecodeBatchTest, SurvivesAnyWords) {
  std::mt19937 random(20260101);  // NOLINT: the same words in every run
  std::uniform_int_distribution<std::int32_t> small(-2, 12);
  std::uniform_int_distribution<std::int32_t> any(INT32_MIN, INT32_MAX);
  for (int i = 0; i < 20'000; ++i) {
    Words words(random() % 33);
    for (std::int32_t& word : words) word = random() % 16 == 0 ? any(random) : small(random);
    Result<Batch> batch = Decode(words, std::string_view("a\0b\0c", 5), {1, 2, 3});
    if (batch.ok()) {
      ASSERT_EQ(batch->operations.size() * kOperationWords, words.size());
    }
  }
}

TEST(EncodeResult, IsTheLayoutThatTypeScriptReads) {
  BatchResult result;
  result.operations = {{.error = 0, .done = 0, .microseconds = 7, .byte_end = 3},
                       {.error = ENOENT, .done = 0, .microseconds = 8, .byte_end = 10}};
  result.id_errors = {0, ESRCH};
  result.bytes = "abcopenat2";
  std::vector<std::byte> out(EncodedSize(result));
  EncodeResult(result, out);

  Words words(14);
  ASSERT_EQ(out.size(), words.size() * 4 + 10);
  std::memcpy(words.data(), out.data(), words.size() * 4);
  EXPECT_EQ(words, (Words{2, 2, 10, 0, 0, 0, 7, 3, ENOENT, 0, 8, 10, 0, ESRCH}));
  EXPECT_EQ(std::memcmp(out.data() + 56, "abcopenat2", 10), 0);
}

}  // namespace
}  // namespace vmcg
