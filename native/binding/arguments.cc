#include "arguments.h"

namespace vmcg {

std::optional<std::int32_t> Int32Argument(const Napi::CallbackInfo& info, std::size_t index) {
  if (!info[index].IsNumber()) return std::nullopt;
  return info[index].As<Napi::Number>().Int32Value();
}

std::optional<std::int64_t> Int64Argument(const Napi::CallbackInfo& info, std::size_t index) {
  if (!info[index].IsNumber()) return std::nullopt;
  return info[index].As<Napi::Number>().Int64Value();
}

std::optional<std::string> StringArgument(const Napi::CallbackInfo& info, std::size_t index) {
  if (!info[index].IsString()) return std::nullopt;
  return info[index].As<Napi::String>().Utf8Value();
}

std::optional<std::string> PathArgument(const Napi::CallbackInfo& info, std::size_t index) {
  std::optional<std::string> path = StringArgument(info, index);
  if (path && path->find('\0') != std::string::npos) return std::nullopt;
  return path;
}

std::optional<std::span<std::int32_t>> Int32ArrayArgument(const Napi::CallbackInfo& info,
                                                          std::size_t index) {
  if (!info[index].IsTypedArray()) return std::nullopt;
  const auto typed_array = info[index].As<Napi::TypedArray>();
  if (typed_array.TypedArrayType() != napi_int32_array) return std::nullopt;
  auto array = typed_array.As<Napi::Int32Array>();
  return std::span(array.Data(), array.ElementLength());
}

std::optional<Napi::Function> FunctionArgument(const Napi::CallbackInfo& info, std::size_t index) {
  if (!info[index].IsFunction()) return std::nullopt;
  return info[index].As<Napi::Function>();
}

}  // namespace vmcg
