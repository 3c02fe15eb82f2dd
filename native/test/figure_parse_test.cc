#include "core/figure_parse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace vmcg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> Parse(FigureFormat format, const std::vector<std::string>& names,
                          std::string_view text) {
  std::vector<FigureField> fields;
  fields.reserve(names.size());
  for (const std::string& name : names) fields.push_back(ParseFigureField(name));
  std::vector<double> figures;
  ParseFigures(format, fields, text, figures);
  return figures;
}

using Figures = std::vector<double>;

TEST(ParseFigures, CountsTheNumbersOfAFile) {
  EXPECT_EQ(Parse(FigureFormat::kNumbers, {}, "4096\n"), (Figures{1, 4096}));
  EXPECT_EQ(Parse(FigureFormat::kNumbers, {}, "max 100000\n"), (Figures{2, kInfinity, 100000}));
  EXPECT_EQ(Parse(FigureFormat::kNumbers, {}, "-1\n"), (Figures{1, -1}));
  EXPECT_EQ(Parse(FigureFormat::kNumbers, {}, ""), (Figures{0}));
}

TEST(ParseFigures, DividesBeforeADoubleWouldRound) {
  EXPECT_EQ(Parse(FigureFormat::kNumbers, {"/1000"}, "9007199254740991999 1999 \n"),
            (Figures{2, 9007199254740991, 1}));
}

TEST(ParseFigures, FindsFieldsInWhateverOrder) {
  EXPECT_EQ(Parse(FigureFormat::kFields, {"user", "system", "time/1000"},
                  "system 2\nother 9\ntime 5999\nuser 1\n"),
            (Figures{1, 2, 5}));
}

TEST(ParseFigures, HasNoNumberForWhatIsMissingOrIsNone) {
  const Figures figures = Parse(FigureFormat::kFields, {"missing", "word", "huge"},
                                "word 12a\nhuge 18446744073709551616\nnothing\n\n");
  ASSERT_EQ(figures.size(), 3U);
  for (const double figure : figures) EXPECT_TRUE(std::isnan(figure));
}

TEST(ParseFigures, NamesPairsByTheirLine) {
  EXPECT_EQ(Parse(FigureFormat::kPairs, {"some avg10", "some total", "full total"},
                  "some avg10=12.34 avg60=0.00 total=7\nfull avg10=0.00 total=5\n"),
            (Figures{12.34, 7, 5}));
}

TEST(ParseFigures, PutsTheLinesOfADeviceTogether) {
  EXPECT_EQ(Parse(FigureFormat::kLineDevices, {"Read", "Write"},
                  "254:0 Read 100\n254:0 Write 200\n254:0 Sync 300\n8:16 Write 1\nTotal 301\n")
                .size(),
            9U);
  EXPECT_EQ(Parse(FigureFormat::kLineDevices, {"Read"}, "8:0 Read 1\n8:1 Read 2\nTotal 3\n"),
            (Figures{2, 8, 0, 1, 8, 1, 2}));
}

TEST(ParseFigures, GivesPairsToTheLastDeviceOfALine) {
  EXPECT_EQ(Parse(FigureFormat::kPairDevices, {"rbytes", "wios"},
                  "7:1 7:0 259:0 rbytes=10 wbytes=20 wios=4 \n7:2 \n(unknown) rbytes=1\n"),
            (Figures{1, 259, 0, 10, 4}));
}

TEST(ParseFigures, CountsLines) {
  EXPECT_EQ(Parse(FigureFormat::kLineCount, {}, "10\n11\n"), (Figures{2}));
  EXPECT_EQ(Parse(FigureFormat::kLineCount, {}, ""), (Figures{0}));
}

TEST(ParseFigureField, TakesADivisorThatIsNotZero) {
  EXPECT_EQ(ParseFigureField("user").divisor, 1U);
  EXPECT_EQ(ParseFigureField("time/1000").divisor, 1000U);
  EXPECT_EQ(ParseFigureField("time/1000").name, "time");
  EXPECT_EQ(ParseFigureField("time/0").divisor, 1U);
}

}  // namespace
}  // namespace vmcg
