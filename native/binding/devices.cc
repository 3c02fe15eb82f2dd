#include "devices.h"

#include <cerrno>

#include "../core/device_stat.h"
#include "arguments.h"
#include "errno_value.h"

namespace vmcg {
namespace {

Napi::Value StatDevicesFunction(const Napi::CallbackInfo& info) {
  const std::optional<std::string> paths = StringArgument(info, 0);
  const std::optional<std::span<std::int32_t>> words = Int32ArrayArgument(info, 1);
  const bool fits = paths && words && words->size() == CountPaths(*paths) * kDeviceStatWords;
  if (!fits) return NegativeErrno(info.Env(), EINVAL);
  StatDevices(*paths, *words);
  return NegativeErrno(info.Env(), 0);
}

}  // namespace

void DefineDeviceFunctions(Napi::Env env, Napi::Object exports) {
  exports.Set("statDevices", Napi::Function::New<StatDevicesFunction>(env, "statDevices"));
}

}  // namespace vmcg
