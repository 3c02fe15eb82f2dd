#include "operations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "directory.h"
#include "entry.h"
#include "file_io.h"
#include "retry.h"

namespace vmcg {
namespace {

constexpr mode_t kDirectoryMode = 0755;
// A tag of ours is half of that.
constexpr std::size_t kUsualXattrBytes = 64;
// The kernel's XATTR_SIZE_MAX.
constexpr std::size_t kMaxXattrBytes = std::size_t{64} << 10;

}  // namespace

Result<Done> MakeDir(const Root& root, const std::string& path) {
  Result<Entry> entry = OpenParent(root, path, "mkdirat");
  if (!entry.ok()) return entry.error();
  const int made = RetryOnEintr(
      [&] { return mkdirat(entry->parent.get(), entry->name.c_str(), kDirectoryMode); });
  if (made == -1) return LastError("mkdirat");
  return Done{};
}

Result<Done> RemoveDir(const Root& root, const std::string& path) {
  Result<Entry> entry = OpenParent(root, path, "unlinkat");
  if (!entry.ok()) return entry.error();
  const int removed = RetryOnEintr(
      [&] { return unlinkat(entry->parent.get(), entry->name.c_str(), AT_REMOVEDIR); });
  if (removed == -1) return LastError("unlinkat");
  root.held_programs().DropAll(path);
  return Done{};
}

Result<Done> WriteFile(const Root& root, const std::string& path, const std::string& value) {
  Result<Fd> file = root.OpenBeneath(path, O_WRONLY);
  if (!file.ok()) return file.error();
  return WriteOnce(*file, value);
}

Result<Done> ReadFile(const Root& root, const std::string& path, std::string& bytes) {
  Result<Fd> file = root.OpenBeneath(path, O_RDONLY);
  if (!file.ok()) return file.error();
  return ReadToEnd(*file, bytes);
}

Result<Done> SetXattr(const Root& root, const std::string& path, const std::string& name,
                      const std::string& value) {
  // Not O_PATH: fsetxattr and fgetxattr answer EBADF to such a descriptor.
  Result<Fd> directory = root.OpenBeneath(path, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return directory.error();
  const int set = RetryOnEintr([&] {
    return fsetxattr(directory->get(), name.c_str(), value.data(), value.size(), /*flags=*/0);
  });
  if (set == -1) return LastError("fsetxattr");
  return Done{};
}

Result<Done> GetXattr(const Fd& directory, const std::string& name, std::string& bytes) {
  const std::size_t before = bytes.size();
  for (std::size_t room = kUsualXattrBytes;; room = kMaxXattrBytes) {
    bytes.resize(before + room);
    const ssize_t size = RetryOnEintr(
        [&] { return fgetxattr(directory.get(), name.c_str(), bytes.data() + before, room); });
    const SysError error = LastError("fgetxattr");
    bytes.resize(before + (size == -1 ? 0 : static_cast<std::size_t>(size)));
    if (size != -1) return Done{};
    if (error.number != ERANGE || room == kMaxXattrBytes) return error;
  }
}

Result<Done> ListDirs(const Root& root, const std::string& path, std::string& bytes) {
  Result<Fd> directory = root.OpenBeneath(path, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return directory.error();
  return ForEachSubdirectory(*directory, [&bytes](const char* name) {
    bytes += name;
    bytes += '\0';
  });
}

}  // namespace vmcg
