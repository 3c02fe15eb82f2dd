#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spinvm {

inline constexpr uint32_t kReplacementPoint = 0xFFFD;

// Takes the first code point off the text. Nothing, with one byte taken, where it is not valid
// UTF-8: a stray or missing continuation byte, an overlong form, a surrogate, or a point beyond
// U+10FFFF. The text is not empty.
std::optional<uint32_t> TakeCodePoint(std::string_view& text);

void AppendCodePoint(std::string& out, uint32_t point);

}  // namespace spinvm
