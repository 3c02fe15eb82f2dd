#pragma once

#include "napi_setup.h"

namespace vmcg {

/** Adds `lockFile`, `connectUnix`, `listenUnix`, `peerPid` and `closeFd`, which keep nothing
 * between calls. */
void DefineDescriptorFunctions(Napi::Env env, Napi::Object exports);

}  // namespace vmcg
