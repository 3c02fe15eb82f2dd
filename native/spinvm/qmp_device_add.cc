#include "qmp_device_add.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace spinvm {
namespace {

constexpr std::string_view kNumbers[] = {"socket-id", "core-id", "thread-id"};

// A letter, then letters, digits, '-', '.' and '_'.
bool IsIdentifier(std::string_view id) {
  const auto inner = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  };
  return !id.empty() && std::isalpha(static_cast<unsigned char>(id.front())) != 0 &&
         std::all_of(id.begin(), id.end(), inner);
}

// Why a member has no business here, or of the wrong type; nothing when all is well.
std::optional<QmpFailure> CheckMember(const JsonMember& member) {
  const auto& [name, value] = member;
  if (name == "driver") {
    const std::string* driver = value.AsString();
    if (driver == nullptr)
      return GenericError("Invalid parameter type for 'driver', expected: string");
    if (*driver == kCpuDriver) return std::nullopt;
    return GenericError("'" + *driver + "' is not a valid device model name");
  }
  if (name == "id") {
    const std::string* id = value.AsString();
    if (id != nullptr && IsIdentifier(*id)) return std::nullopt;
    return GenericError("Parameter 'id' expects an identifier");
  }
  if (std::find(std::begin(kNumbers), std::end(kNumbers), name) == std::end(kNumbers)) {
    return GenericError(std::string("Property '") + kCpuDriver + "." + name + "' not found");
  }
  if (!value.AsInt()) return GenericError("Parameter '" + name + "' expects integer");
  return std::nullopt;
}

// Socket and thread ids have one value only.
std::optional<QmpFailure> CheckZero(const Json& arguments, std::string_view name) {
  const int value = arguments.Find(name)->AsInt().value_or(0);
  if (value == 0) return std::nullopt;
  return GenericError("Invalid CPU " + std::string(name) + ": " + std::to_string(value) +
                      " must be in range 0:0");
}

}  // namespace

QmpAnswer DeviceAdd(const Json& arguments, QmpContext& context) {
  if (arguments.Find("driver") == nullptr) return GenericError("Parameter 'driver' is missing");
  for (const JsonMember& member : *arguments.AsObject()) {
    if (auto failure = CheckMember(member)) return *failure;
  }
  for (const std::string_view name : kNumbers) {
    if (arguments.Find(name) == nullptr) {
      return GenericError("CPU " + std::string(name) + " is not set");
    }
  }
  for (const std::string_view name : {"socket-id", "thread-id"}) {
    if (auto failure = CheckZero(arguments, name)) return *failure;
  }
  const Json* id = arguments.Find("id");
  const int core = arguments.Find("core-id")->AsInt().value_or(-1);
  if (auto reason = context.machine.Plug(core, id == nullptr ? "" : *id->AsString())) {
    return GenericError(*std::move(reason));
  }
  return Json(JsonObject{});
}

}  // namespace spinvm
