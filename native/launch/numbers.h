#pragma once

#include <cstdint>

namespace vmcg::launch {

/** The decimal number at `text`, which is moved behind it and behind one `separator`. */
inline std::uint64_t TakeNumber(const char*& text, char separator) {
  std::uint64_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    number = number * 10 + static_cast<std::uint64_t>(*text - '0');
  }
  if (*text == separator && separator != '\0') ++text;
  return number;
}

inline std::uint64_t ParseNumber(const char* text) { return TakeNumber(text, '\0'); }

}  // namespace vmcg::launch
