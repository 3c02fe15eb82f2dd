#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "json.h"
#include "machine.h"

namespace spinvm {

struct QmpFailure {
  std::string error_class;
  std::string description;
};

// What a command answers: its return value, or an error.
using QmpAnswer = std::variant<Json, QmpFailure>;

inline QmpFailure GenericError(std::string description) {
  return {"GenericError", std::move(description)};
}

// What commands may do besides answering.
struct QmpContext {
  Machine& machine;
  std::function<void(const char* event, JsonObject data)> emit;
  std::function<void()> quit;
};

// The answer of `query-version`, which is also part of the greeting.
Json QmpVersion();

// Executes a command after the negotiation. Its arguments are an object.
QmpAnswer ExecuteQmp(const std::string& command, const Json& arguments, QmpContext& context);

}  // namespace spinvm
