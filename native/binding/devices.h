#pragma once

#include "napi_setup.h"

namespace vmcg {

/** Adds `statDevices`, which keeps nothing between calls. */
void DefineDeviceFunctions(Napi::Env env, Napi::Object exports);

}  // namespace vmcg
