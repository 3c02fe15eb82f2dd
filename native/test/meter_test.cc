#include "core/meter.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/kept_files.h"
#include "core/meter_reading.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

constexpr std::uint32_t kAll = ~0U;
constexpr std::size_t kMany = 100;

using Figures = std::vector<double>;

class MeterTest : public ::testing::Test {
 protected:
  [[nodiscard]] FigureFile File(const std::string& name, std::uint32_t groups = 1,
                                FigureFormat format = FigureFormat::kNumbers) const {
    return {.root = root_,
            .directory = 0,
            .name = name,
            .format = format,
            .groups = groups,
            .fields = {}};
  }

  std::unique_ptr<Meter> Open(std::vector<FigureFile> files, const std::string& directory = "vm") {
    auto form =
        std::make_shared<const FigureForm>(FigureForm{.files = std::move(files), .directories = 1});
    return std::make_unique<Meter>(std::move(form), std::vector<std::string>{directory}, kept_);
  }

  static Figures Read(Meter& meter, std::uint32_t groups = kAll) {
    Figures figures;
    std::string buffer;
    meter.Read(groups, figures, buffer);
    return figures;
  }

  TempDir dir_;
  std::shared_ptr<const Root> root_ = std::make_shared<const Root>(dir_.AsRoot());
  KeptFiles kept_;
};

TEST_F(MeterTest, SaysWhatIsInTheFilesNow) {
  kept_.Begin(kMany, 0);
  dir_.MakeFile("vm/a", "1\n");
  const auto meter = Open({File("a")});
  EXPECT_EQ(Read(*meter), (Figures{0, 1, 1}));
  dir_.MakeFile("vm/a", "22\n");
  EXPECT_EQ(Read(*meter), (Figures{0, 1, 22}));
  EXPECT_EQ(kept_.open_count(), 1U);
}

TEST_F(MeterTest, ReadsOnlyTheGroupsThatAreAskedFor) {
  kept_.Begin(kMany, 0);
  dir_.MakeFile("vm/a", "1\n");
  dir_.MakeFile("vm/b", "2\n");
  const auto meter = Open({File("a", 1), File("b", 6)});
  EXPECT_EQ(Read(*meter, 2), (Figures{0, 1, 2}));
  EXPECT_EQ(kept_.open_count(), 1U);
}

TEST_F(MeterTest, TellsOfAFileThatIsNotThereAndFindsItLater) {
  kept_.Begin(kMany, 0);
  dir_.MakeFile("vm/b", "2\n");
  const auto meter = Open({File("a")});
  EXPECT_EQ(Read(*meter), (Figures{ENOENT}));
  dir_.MakeFile("vm/a", "1\n");
  Figures last;
  for (int reading = 0; reading < 16; ++reading) last = Read(*meter);
  EXPECT_EQ(last, (Figures{0, 1, 1}));
}

TEST_F(MeterTest, ReadsFilesLargerThanItsBuffer) {
  kept_.Begin(kMany, 0);
  std::string text;
  for (int number = 0; number < 20000; ++number) text += "7 ";
  dir_.MakeFile("vm/a", text);
  const auto meter = Open({File("a")});
  EXPECT_EQ(Read(*meter).size(), 20002U);
}

TEST_F(MeterTest, NeverKeepsAListOfThreads) {
  kept_.Begin(kMany, 0);
  dir_.MakeFile("vm/tasks", "1\n2\n");
  const auto meter = Open({File("tasks", 1, FigureFormat::kLineCount)});
  EXPECT_EQ(Read(*meter), (Figures{0, 2}));
  EXPECT_EQ(kept_.open_count(), 0U);
}

TEST_F(MeterTest, ReadsWithoutKeepingWhereThereIsNoRoom) {
  kept_.Begin(1, 0);
  dir_.MakeFile("vm/a", "1\n");
  dir_.MakeFile("vm/b", "2\n");
  const auto meter = Open({File("a"), File("b")});
  EXPECT_EQ(Read(*meter), (Figures{0, 1, 1, 0, 1, 2}));
  EXPECT_EQ(kept_.open_count(), 1U);
}

TEST_F(MeterTest, ClosesThoseThatWereReadLeastRecently) {
  kept_.Begin(1, 0);
  dir_.MakeFile("vm/a", "1\n");
  dir_.MakeFile("other/a", "2\n");
  const auto first = Open({File("a")});
  const auto second = Open({File("a")}, "other");
  Read(*first);
  kept_.Begin(1, KeptFiles::kFreshMs);
  EXPECT_EQ(Read(*second), (Figures{0, 1, 2}));
  EXPECT_EQ(kept_.open_count(), 1U);
  EXPECT_EQ(Read(*first), (Figures{0, 1, 1}));
}

TEST_F(MeterTest, ClosesWhatNobodyReadsAnyMore) {
  kept_.Begin(kMany, 0);
  dir_.MakeFile("vm/a", "1\n");
  const auto meter = Open({File("a")});
  Read(*meter);
  kept_.Begin(kMany, KeptFiles::kIdleMs - 1);
  EXPECT_EQ(kept_.open_count(), 1U);
  kept_.Begin(kMany, KeptFiles::kIdleMs);
  EXPECT_EQ(kept_.open_count(), 0U);
  EXPECT_EQ(Read(*meter), (Figures{0, 1, 1}));
}

TEST_F(MeterTest, ClosesItsFilesWhenItGoes) {
  kept_.Begin(kMany, 0);
  dir_.MakeFile("vm/a", "1\n");
  auto meter = Open({File("a")});
  Read(*meter);
  meter.reset();
  EXPECT_EQ(kept_.open_count(), 0U);
}

TEST_F(MeterTest, IsReadInBatchesThatSayHowManyFilesAreKept) {
  dir_.MakeFile("vm/a", "1\n");
  auto form =
      std::make_shared<const FigureForm>(FigureForm{.files = {File("a")}, .directories = 1});
  const std::vector<std::shared_ptr<Meter>> meters{std::make_shared<Meter>(
      std::move(form), std::vector<std::string>{"vm"}, KeptFiles::OfProcess())};
  std::string bytes;
  ASSERT_TRUE(ReadMeters(meters, kAll, bytes).ok());
  Figures figures(bytes.size() / sizeof(double));
  std::memcpy(figures.data(), bytes.data(), bytes.size());
  EXPECT_EQ(figures, (Figures{static_cast<double>(KeptFilesLimit()), 0, 1, 1}));
}

}  // namespace
}  // namespace vmcg
