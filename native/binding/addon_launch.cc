#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "../core/launch_codec.h"
#include "addon.h"
#include "arguments.h"
#include "errno_value.h"

namespace vmcg {

Napi::Value Addon::Launch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<std::span<const std::int32_t>> words = Int32ArrayArgument(info, 0);
  const std::optional<std::string> strings = StringArgument(info, 1);
  const std::optional<Napi::Function> report = FunctionArgument(info, 2);
  if (!words || !strings || !report) return NegativeErrno(env, EINVAL);
  Result<LaunchRequest> request = DecodeLaunch(*words, *strings, roots_);
  if (!request.ok()) return NegativeErrno(env, request.error().number);
  const Result<std::int64_t> ticket = children_.Launch(env, std::move(*request), *report);
  if (!ticket.ok()) return NegativeErrno(env, ticket.error().number);
  return Napi::Number::New(env, static_cast<double>(*ticket));
}

Napi::Value Addon::SignalChild(const Napi::CallbackInfo& info) {
  const std::optional<std::int64_t> ticket = Int64Argument(info, 0);
  const std::optional<std::int32_t> number = Int32Argument(info, 1);
  if (!ticket || !number) return NegativeErrno(info.Env(), EINVAL);
  return NegativeErrno(info.Env(), children_.Signal(*ticket, *number));
}

void Addon::HoldChild(const Napi::CallbackInfo& info) {
  const std::optional<std::int64_t> ticket = Int64Argument(info, 0);
  if (ticket) children_.Hold(info.Env(), *ticket, info[1].ToBoolean());
}

}  // namespace vmcg
