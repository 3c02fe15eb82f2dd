#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "napi_setup.h"

namespace vmcg {

/** Arguments by position; nothing where JavaScript passed something else than the type says. */

std::optional<std::int32_t> Int32Argument(const Napi::CallbackInfo& info, std::size_t index);

std::optional<std::int64_t> Int64Argument(const Napi::CallbackInfo& info, std::size_t index);

/** As UTF-8. */
std::optional<std::string> StringArgument(const Napi::CallbackInfo& info, std::size_t index);

/** A string without NUL, where the system call's copy would end. */
std::optional<std::string> PathArgument(const Napi::CallbackInfo& info, std::size_t index);

/** The caller's own memory: to be copied, or filled, before the call returns. */
std::optional<std::span<std::int32_t>> Int32ArrayArgument(const Napi::CallbackInfo& info,
                                                          std::size_t index);

std::optional<Napi::Function> FunctionArgument(const Napi::CallbackInfo& info, std::size_t index);

}  // namespace vmcg
