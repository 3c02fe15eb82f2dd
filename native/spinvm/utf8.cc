#include "utf8.h"

#include <algorithm>
#include <bit>

namespace spinvm {
namespace {

// The smallest point that needs as many bytes, by the number of continuation bytes.
constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) == 0x80U; }

}  // namespace

std::optional<uint32_t> TakeCodePoint(std::string_view& text) {
  const auto first = static_cast<uint8_t>(text.front());
  text.remove_prefix(1);
  if (first < 0x80) return first;
  const auto length = static_cast<size_t>(std::countl_one(first));
  if (length < 2 || length > 4 || text.size() < length - 1) return std::nullopt;
  const std::string_view rest = text.substr(0, length - 1);
  if (!std::all_of(rest.begin(), rest.end(), IsContinuation)) return std::nullopt;
  uint32_t point = first & (0x7FU >> length);
  for (const char byte : rest) point = (point << 6) | (static_cast<uint8_t>(byte) & 0x3FU);
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  if (point < kSmallest[rest.size()] || surrogate || point > 0x10FFFF) return std::nullopt;
  text.remove_prefix(rest.size());
  return point;
}

void AppendCodePoint(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  const int continuations = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  const uint32_t marker = (0xFF00U >> (continuations + 1)) & 0xFFU;
  out += static_cast<char>(marker | (point >> (6 * continuations)));
  for (int i = continuations - 1; i >= 0; --i) {
    out += static_cast<char>(0x80U | ((point >> (6 * i)) & 0x3FU));
  }
}

}  // namespace spinvm
