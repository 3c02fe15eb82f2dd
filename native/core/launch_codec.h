#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "batch_codec.h"
#include "launch.h"

namespace vmcg {

/**
 * Reads a launch as src/engine/native.ts describes it. A descriptor that is to be handed on is
 * copied, so that the caller may close its own. EINVAL for a malformed one, EBADF for an unknown
 * root or descriptor.
 */
Result<LaunchRequest> DecodeLaunch(std::span<const std::int32_t> words, std::string_view strings,
                                   const RootTable& roots);

}  // namespace vmcg
