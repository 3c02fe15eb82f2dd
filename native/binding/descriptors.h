#pragma once

#include "napi_setup.h"

namespace vmcg {

/** Adds `lockFile`, `connectUnix`, `peerPid` and `closeFd`, which keep nothing between calls. */
void DefineDescriptorFunctions(Napi::Env env, Napi::Object exports);

}  // namespace vmcg
