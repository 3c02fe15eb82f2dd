#include "json_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "utf8.h"

namespace spinvm {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Recursive descent, at most kMaxJsonDepth deep, over a view that shrinks. The first error stays;
// every function returns nothing after it.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::variant<Json, JsonError> Parse() {
    std::optional<Json> value = ParseValue(0);
    SkipSpace();
    if (value && !rest_.empty()) Fail("unexpected text after the value");
    if (!error_.empty()) return JsonError{error_};
    return *std::move(value);
  }

 private:
  std::nullopt_t Fail(std::string_view reason) {
    if (error_.empty()) error_ = "JSON parse error, " + std::string(reason);
    return std::nullopt;
  }

  void SkipSpace() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }

  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeAfterSpace(char c) {
    SkipSpace();
    return Take(c);
  }

  std::optional<Json> ParseValue(int depth) {
    SkipSpace();
    if (depth > kMaxJsonDepth) return Fail("nesting is too deep");
    if (rest_.empty()) return Fail("expecting value");
    if (Take('{')) return ParseObject(depth);
    if (Take('[')) return ParseArray(depth);
    if (Take('"')) {
      std::optional<std::string> text = ParseString();
      return text ? std::optional<Json>(*std::move(text)) : std::nullopt;
    }
    if (rest_.front() == '-' || IsDigit(rest_.front())) return ParseNumber();
    if (IsLetter(rest_.front())) return ParseKeyword();
    return Fail("expecting value");
  }

  std::optional<Json> ParseKeyword() {
    const auto* end = std::find_if_not(rest_.begin(), rest_.end(), IsLetter);
    const std::string_view word = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
    rest_.remove_prefix(word.size());
    if (word == "true") return Json(true);
    if (word == "false") return Json(false);
    if (word == "null") return Json();
    return Fail("invalid keyword '" + std::string(word) + "'");
  }

  size_t TakeDigits() {
    const size_t count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    rest_.remove_prefix(count);
    return count;
  }

  std::optional<Json> ParseNumber() {
    const std::string_view start = rest_;
    Take('-');
    const bool leading_zero = !rest_.empty() && rest_.front() == '0';
    const size_t whole = TakeDigits();
    if (whole == 0 || (leading_zero && whole > 1)) return Fail("invalid number");
    if (Take('.') && TakeDigits() == 0) return Fail("invalid number");
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (TakeDigits() == 0) return Fail("invalid number");
    }
    return Json(JsonNumber{std::string(start.substr(0, start.size() - rest_.size()))});
  }

  std::optional<uint32_t> ParseHexUnit() {
    uint32_t unit = 0;
    if (rest_.size() < 4) return Fail("invalid escape");
    const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + 4, unit, 16);
    if (error != std::errc{} || stop != rest_.data() + 4) return Fail("invalid escape");
    rest_.remove_prefix(4);
    return unit;
  }

  // After `\u`: one unit, or a pair of surrogates.
  std::optional<uint32_t> ParseEscapedPoint() {
    const std::optional<uint32_t> high = ParseHexUnit();
    if (!high || *high < 0xD800 || *high > 0xDFFF) return high;
    if (*high > 0xDBFF || !Take('\\') || !Take('u')) return Fail("lone surrogate");
    const std::optional<uint32_t> low = ParseHexUnit();
    if (!low || *low < 0xDC00 || *low > 0xDFFF) return Fail("lone surrogate");
    return 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00);
  }

  std::optional<uint32_t> ParseEscape() {
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (Take('u')) return ParseEscapedPoint();
    const size_t index = rest_.empty() ? std::string_view::npos : kNames.find(rest_.front());
    if (index == std::string_view::npos) return Fail("invalid escape");
    rest_.remove_prefix(1);
    return static_cast<uint32_t>(kMeant[index]);
  }

  // After the opening quote.
  std::optional<std::string> ParseString() {
    std::string text;
    while (!rest_.empty()) {
      if (Take('"')) return text;
      const bool escaped = Take('\\');
      const std::optional<uint32_t> point = escaped ? ParseEscape() : TakeCodePoint(rest_);
      if (!point) return Fail("invalid UTF-8 in string");
      if (!escaped && *point < 0x20) return Fail("control character in string");
      AppendCodePoint(text, *point);
    }
    return Fail("unterminated string");
  }

  std::optional<Json> ParseArray(int depth) {
    JsonArray items;
    if (TakeAfterSpace(']')) return Json(std::move(items));
    do {
      std::optional<Json> item = ParseValue(depth + 1);
      if (!item) return std::nullopt;
      items.push_back(*std::move(item));
    } while (TakeAfterSpace(','));
    if (!Take(']')) return Fail("expected separator in list");
    return Json(std::move(items));
  }

  std::optional<Json> ParseObject(int depth) {
    JsonObject members;
    if (TakeAfterSpace('}')) return Json(std::move(members));
    do {
      if (!TakeAfterSpace('"')) return Fail("key is not a string in object");
      std::optional<std::string> key = ParseString();
      if (!key) return std::nullopt;
      const auto same = [&key](const JsonMember& member) { return member.first == *key; };
      if (std::any_of(members.begin(), members.end(), same)) return Fail("duplicate key");
      if (!TakeAfterSpace(':')) return Fail("missing : in object pair");
      std::optional<Json> value = ParseValue(depth + 1);
      if (!value) return std::nullopt;
      members.emplace_back(*std::move(key), *std::move(value));
    } while (TakeAfterSpace(','));
    if (!Take('}')) return Fail("expected separator in dict");
    return Json(std::move(members));
  }

  std::string_view rest_;
  std::string error_;
};

}  // namespace

std::variant<Json, JsonError> ParseJson(std::string_view text) { return Parser(text).Parse(); }

}  // namespace spinvm
