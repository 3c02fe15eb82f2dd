#pragma once

#include <string>

#include "fd.h"
#include "result.h"
#include "root.h"

namespace vmcg {

/** The directory that holds the last component of a path, and that component. */
struct Entry {
  Fd parent;
  std::string name;
};

/**
 * Opens the directory of what is to be made, removed or replaced. A path that is empty or ends in
 * `/`, `.` or `..` is EINVAL, as an error of `syscall`.
 */
Result<Entry> OpenParent(const Root& root, const std::string& path, const char* syscall);

}  // namespace vmcg
