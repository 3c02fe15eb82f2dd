#include "entry.h"

#include <fcntl.h>

#include <utility>

namespace vmcg {

Result<Entry> OpenParent(const Root& root, const std::string& path, const char* syscall) {
  const std::size_t slash = path.rfind('/');
  const bool at_root = slash == std::string::npos;
  std::string name = at_root ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return SysError{EINVAL, syscall};
  // "/name" keeps its slash, so that the lookup refuses it as it refuses every absolute path.
  const std::string parent_path = at_root ? "." : path.substr(0, slash == 0 ? 1 : slash);
  Result<Fd> parent = root.OpenBeneath(parent_path, O_PATH | O_DIRECTORY);
  if (!parent.ok()) return parent.error();
  return Entry{std::move(*parent), std::move(name)};
}

}  // namespace vmcg
