#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "json.h"

namespace spinvm {

inline constexpr int kMaxJsonDepth = 64;

struct JsonError {
  std::string message;
};

// Parses exactly one JSON value (RFC 8259) with nothing but white space around it. Nesting deeper
// than kMaxJsonDepth, repeated keys, invalid UTF-8 and lone surrogates are errors.
std::variant<Json, JsonError> ParseJson(std::string_view text);

}  // namespace spinvm
