#pragma once

#include <cstdint>

namespace vmcg {

/** What `vmcg-launch` tells whoever started it, over a pipe that the exec of the VMM closes. */
struct LaunchMessage {
  /** The place in the command line of the step that failed, or kBorn. */
  std::int32_t step;
  /** The errno; for kBorn the pid of the process that goes on. */
  std::int32_t value;
};

/** The process of this pid, another one where it could be born in the v2 cgroup, takes the steps
 * that follow. */
inline constexpr std::int32_t kBorn = -1;

}  // namespace vmcg
