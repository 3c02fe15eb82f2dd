#pragma once

#include <string>

#include "result.h"
#include "root.h"

namespace vmcg {

/** The single operations of a batch. Paths are beneath the root; what is read is appended to
 * `bytes`. */

/** mkdirat(0755). A path that is empty or ends in `/`, `.` or `..` is EINVAL. */
Result<Done> MakeDir(const Root& root, const std::string& path);

/** unlinkat(AT_REMOVEDIR), under the same rule for the path. */
Result<Done> RemoveDir(const Root& root, const std::string& path);

/** One write(2) to an existing file. */
Result<Done> WriteFile(const Root& root, const std::string& path, const std::string& value);

/** The whole file, opened afresh. */
Result<Done> ReadFile(const Root& root, const std::string& path, std::string& bytes);

/** Sets the extended attribute `name` of a directory. */
Result<Done> SetXattr(const Root& root, const std::string& path, const std::string& name,
                      const std::string& value);

/** Reads the extended attribute `name` of a directory that is open (not by O_PATH); ENODATA when it
 * has none. */
Result<Done> GetXattr(const Fd& directory, const std::string& name, std::string& bytes);

/** The names of the directories in a directory, each ended by NUL. */
Result<Done> ListDirs(const Root& root, const std::string& path, std::string& bytes);

}  // namespace vmcg
