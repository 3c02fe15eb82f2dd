#include "figure_parse.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

namespace vmcg {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kMax = std::numeric_limits<double>::infinity();

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

/** All of `text` as a number, which to_chars and from_chars know without a locale. */
template <typename T>
std::optional<T> Whole(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

double ParseInteger(std::string_view digits, std::uint64_t divisor) {
  const std::optional<std::uint64_t> value = Whole<std::uint64_t>(digits);
  if (!value) return kNone;
  const std::uint64_t whole = *value / divisor;
  return static_cast<double>(whole);
}

/** Digits, with a sign or a decimal point in them where the kernel writes one, or `max`. */
double ParseFigure(std::string_view word, std::uint64_t divisor) {
  if (IsDigits(word)) return ParseInteger(word, divisor);
  if (word == "max") return kMax;
  if (word.starts_with('-') && IsDigits(word.substr(1))) {
    return -ParseInteger(word.substr(1), divisor);
  }
  const std::size_t point = word.find('.');
  const bool is_decimal = point != std::string_view::npos && IsDigits(word.substr(0, point)) &&
                          IsDigits(word.substr(point + 1));
  return is_decimal ? Whole<double>(word).value_or(kNone) : kNone;
}

/** Cuts what comes before `separator` off `rest`, or all of it; nothing once it is empty. */
std::optional<std::string_view> Cut(std::string_view& rest, char separator) {
  if (rest.empty()) return std::nullopt;
  const std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

/** A line's last word, cut off with the space before it. */
std::string_view CutLastWord(std::string_view& line) {
  const std::size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return std::exchange(line, {});
  const std::string_view word = line.substr(space + 1);
  line = line.substr(0, space);
  return word;
}

std::string_view WithoutTrailingSpaces(std::string_view line) {
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

struct Device {
  std::uint32_t major;
  std::uint32_t minor;
};

std::optional<Device> ParseDevice(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto major = Whole<std::uint32_t>(word.substr(0, colon));
  const auto minor = Whole<std::uint32_t>(word.substr(colon + 1));
  if (!major || !minor) return std::nullopt;
  return Device{*major, *minor};
}

/** A number for each field, in their order, at the end of a file's figures. */
class Row {
 public:
  Row(std::span<const FigureField> fields, std::vector<double>& figures)
      : fields_(fields), figures_(figures), start_(figures.size()) {
    figures.resize(start_ + fields.size(), kNone);
  }

  /** Takes the figure where it is wanted. The kernel's order is mostly that of the fields. */
  void Set(std::string_view name, std::string_view word) {
    for (std::size_t tried = 0; tried < fields_.size(); ++tried) {
      const std::size_t at = (next_ + tried) % fields_.size();
      if (fields_[at].name != name) continue;
      figures_[start_ + at] = ParseFigure(word, fields_[at].divisor);
      next_ = at + 1;
      return;
    }
  }

 private:
  std::span<const FigureField> fields_;
  std::vector<double>& figures_;
  std::size_t start_;
  std::size_t next_ = 0;
};

void ParseNumbers(std::uint64_t divisor, std::string_view text, std::vector<double>& figures) {
  const std::size_t count = figures.size();
  figures.push_back(0);
  while (const auto line = Cut(text, '\n')) {
    std::string_view rest = *line;
    while (const auto word = Cut(rest, ' ')) {
      if (word->empty()) continue;
      figures.push_back(ParseFigure(*word, divisor));
      ++figures[count];
    }
  }
}

void ParseFields(std::span<const FigureField> fields, std::string_view text,
                 std::vector<double>& figures) {
  Row row(fields, figures);
  while (const auto line = Cut(text, '\n')) {
    std::string_view name = *line;
    const std::string_view word = CutLastWord(name);
    row.Set(name, word);
  }
}

void ParsePairs(std::span<const FigureField> fields, std::string_view text,
                std::vector<double>& figures) {
  Row row(fields, figures);
  std::string name;
  while (const auto line = Cut(text, '\n')) {
    std::string_view rest = *line;
    const std::string_view label = Cut(rest, ' ').value_or("");
    while (const auto pair = Cut(rest, ' ')) {
      const std::size_t equals = pair->find('=');
      if (equals == std::string_view::npos) continue;
      name.assign(label).append(" ").append(pair->substr(0, equals));
      row.Set(name, pair->substr(equals + 1));
    }
  }
}

/** Begins a device's figures: its number, and a row. */
Row AddDevice(Device device, std::span<const FigureField> fields, std::vector<double>& figures) {
  figures.push_back(device.major);
  figures.push_back(device.minor);
  return {fields, figures};
}

/** `8:0 Read 4096`: the lines of a device follow one another. */
void ParseLineDevices(std::span<const FigureField> fields, std::string_view text,
                      std::vector<double>& figures) {
  const std::size_t count = figures.size();
  figures.push_back(0);
  std::string_view of;
  std::optional<Row> row;
  while (const auto line = Cut(text, '\n')) {
    std::string_view name = *line;
    const std::string_view word = CutLastWord(name);
    const std::string_view number = Cut(name, ' ').value_or("");
    const std::optional<Device> device = ParseDevice(number);
    if (!device) continue;
    if (!row || number != of) {
      of = number;
      row.emplace(AddDevice(*device, fields, figures));
      ++figures[count];
    }
    row->Set(name, word);
  }
}

/**
 * `8:0 rbytes=4096 wbytes=0`. Some kernels put devices without figures before another one on the
 * same line: the last is the one that the figures are of.
 */
void ParsePairDevices(std::span<const FigureField> fields, std::string_view text,
                      std::vector<double>& figures) {
  const std::size_t count = figures.size();
  figures.push_back(0);
  while (const auto line = Cut(text, '\n')) {
    std::string_view before = WithoutTrailingSpaces(*line);
    std::string_view last = CutLastWord(before);
    const char* const end = last.data() + last.size();
    const char* pairs = end;
    while (last.find('=') != std::string_view::npos) {
      pairs = last.data();
      last = CutLastWord(before);
    }
    const std::optional<Device> device = ParseDevice(last);
    if (!device || pairs == end) continue;
    Row row = AddDevice(*device, fields, figures);
    ++figures[count];
    std::string_view rest(pairs, static_cast<std::size_t>(end - pairs));
    while (const auto pair = Cut(rest, ' ')) {
      const std::size_t equals = pair->find('=');
      row.Set(pair->substr(0, equals), pair->substr(equals + 1));
    }
  }
}

}  // namespace

FigureField ParseFigureField(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {std::string(text), 1};
  const auto divisor = Whole<std::uint64_t>(text.substr(slash + 1)).value_or(1);
  return {std::string(text.substr(0, slash)), std::max<std::uint64_t>(divisor, 1)};
}

void ParseFigures(FigureFormat format, std::span<const FigureField> fields, std::string_view text,
                  std::vector<double>& figures) {
  switch (format) {
    case FigureFormat::kNumbers:
      return ParseNumbers(fields.empty() ? 1 : fields.front().divisor, text, figures);
    case FigureFormat::kFields:
      return ParseFields(fields, text, figures);
    case FigureFormat::kPairs:
      return ParsePairs(fields, text, figures);
    case FigureFormat::kLineDevices:
      return ParseLineDevices(fields, text, figures);
    case FigureFormat::kPairDevices:
      return ParsePairDevices(fields, text, figures);
    case FigureFormat::kLineCount:
      figures.push_back(static_cast<double>(std::count(text.begin(), text.end(), '\n')));
      return;
  }
}

}  // namespace vmcg
