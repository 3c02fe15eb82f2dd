#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace spinvm {

class Json;
using JsonArray = std::vector<Json>;
using JsonMember = std::pair<std::string, Json>;
using JsonObject = std::vector<JsonMember>;

// A number as it was written: an `id` is echoed exactly, whatever its size.
struct JsonNumber {
  std::string text;
};

// A JSON value. Objects keep their order; a repeated key is a parse error.
class Json {
 public:
  using Value = std::variant<std::nullptr_t, bool, JsonNumber, std::string, JsonArray, JsonObject>;

  Json() : value_(nullptr) {}
  // Implicit, so that answers read as JSON.
  // NOLINTBEGIN(google-explicit-constructor)
  Json(bool value) : value_(value) {}
  Json(int value) : value_(JsonNumber{std::to_string(value)}) {}
  Json(long value) : value_(JsonNumber{std::to_string(value)}) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(JsonNumber value) : value_(std::move(value)) {}
  Json(JsonArray value) : value_(std::move(value)) {}
  Json(JsonObject value) : value_(std::move(value)) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] const std::string* AsString() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const JsonArray* AsArray() const { return std::get_if<JsonArray>(&value_); }
  [[nodiscard]] const JsonObject* AsObject() const { return std::get_if<JsonObject>(&value_); }
  // The value as a whole number; nothing for another type, a fraction, or one that does not fit.
  [[nodiscard]] std::optional<int> AsInt() const;
  // The member of an object, or nullptr.
  [[nodiscard]] const Json* Find(std::string_view key) const;

  // One line of ASCII, as QEMU writes it.
  [[nodiscard]] std::string ToText() const;

 private:
  void AppendTo(std::string& out) const;
  Value value_;
};

}  // namespace spinvm
