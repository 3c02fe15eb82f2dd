#include "json.h"

#include <charconv>

#include "utf8.h"

namespace spinvm {
namespace {

void AppendEscape(std::string& out, uint32_t unit) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 0xF];
}

void AppendString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const uint32_t point = TakeCodePoint(text).value_or(kReplacementPoint);
    if (point == '"' || point == '\\') {
      out += '\\';
      out += static_cast<char>(point);
    } else if (point >= 0x20 && point < 0x7F) {
      out += static_cast<char>(point);
    } else if (point < 0x10000) {
      AppendEscape(out, point);
    } else {
      AppendEscape(out, 0xD800 + ((point - 0x10000) >> 10));
      AppendEscape(out, 0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  out += '"';
}

}  // namespace

std::optional<int> Json::AsInt() const {
  const auto* number = std::get_if<JsonNumber>(&value_);
  if (number == nullptr) return std::nullopt;
  int value = 0;
  const char* end = number->text.data() + number->text.size();
  const auto [stop, error] = std::from_chars(number->text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

const Json* Json::Find(std::string_view key) const {
  const JsonObject* object = AsObject();
  if (object == nullptr) return nullptr;
  for (const auto& [name, value] : *object) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string Json::ToText() const {
  std::string out;
  AppendTo(out);
  return out;
}

void Json::AppendTo(std::string& out) const {
  if (const auto* truth = std::get_if<bool>(&value_)) {
    out += *truth ? "true" : "false";
  } else if (const auto* number = std::get_if<JsonNumber>(&value_)) {
    out += number->text;
  } else if (const std::string* text = AsString()) {
    AppendString(out, *text);
  } else if (const JsonArray* array = AsArray()) {
    const char* separator = "[";
    for (const Json& item : *array) {
      out += std::exchange(separator, ", ");
      item.AppendTo(out);
    }
    out += array->empty() ? "[]" : "]";
  } else if (const JsonObject* object = AsObject()) {
    const char* separator = "{";
    for (const auto& [name, value] : *object) {
      out += std::exchange(separator, ", ");
      AppendString(out, name);
      out += ": ";
      value.AppendTo(out);
    }
    out += object->empty() ? "{}" : "}";
  } else {
    out += "null";
  }
}

}  // namespace spinvm
