#pragma once

#include <string>
#include <string_view>

#include "fd.h"
#include "result.h"

namespace vmcg {

/**
 * Opens the file at `path`, making it (0600) where it is missing and following no link (ELOOP), and
 * takes its exclusive lock. EWOULDBLOCK when another descriptor holds it. The lock goes with the
 * descriptor. Then `holder` is written over the beginning of the file, and nothing is cut off: ext4
 * writes what was truncated out at close (auto_da_alloc), which takes most of a millisecond.
 */
Result<Fd> LockFile(const std::string& path, std::string_view holder);

}  // namespace vmcg
