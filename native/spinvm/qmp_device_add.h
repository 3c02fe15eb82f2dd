#pragma once

#include "qmp_commands.h"

namespace spinvm {

// The only device there is; clients learn its name from query-hotpluggable-cpus.
inline constexpr const char* kCpuDriver = "spinvm-cpu";

// `device_add` of a vCPU: { driver, id?, socket-id, core-id, thread-id }. Answers when its thread
// exists.
QmpAnswer DeviceAdd(const Json& arguments, QmpContext& context);

}  // namespace spinvm
