#pragma once

#include <string>

#include "fd.h"
#include "result.h"

namespace vmcg {

/**
 * Opens the file at `path`, making it (0600) where it is missing and following no link (ELOOP), and
 * takes its exclusive lock. EWOULDBLOCK when another descriptor holds it. The lock goes with the
 * descriptor.
 */
Result<Fd> LockFile(const std::string& path);

}  // namespace vmcg
