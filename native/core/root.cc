#include "root.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "retry.h"

namespace vmcg {
namespace {

Result<Fd> OpenAt(int directory, const char* path, int flags) {
  const int fd = RetryOnEintr([&] { return openat(directory, path, flags | O_CLOEXEC); });
  if (fd == -1) return LastError("openat");
  return Fd(fd);
}

Result<Fd> OpenAt2(int directory, const char* path, int flags, std::uint64_t resolve) {
  open_how how = {};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = resolve;
  const long fd =
      RetryOnEintr([&] { return syscall(SYS_openat2, directory, path, &how, sizeof(how)); });
  if (fd == -1) return LastError("openat2");
  return Fd(static_cast<int>(fd));
}

Result<long> FileSystemOf(const Fd& fd) {
  struct statfs info = {};
  if (RetryOnEintr([&] { return fstatfs(fd.get(), &info); }) == -1) return LastError("fstatfs");
  return static_cast<long>(info.f_type);
}

/** Takes the first component off `path`, with the slashes behind it. */
std::string_view TakeComponent(std::string_view& path) {
  const std::string_view component = path.substr(0, path.find('/'));
  path.remove_prefix(component.size());
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  return component;
}

/** openat2 would let `a/../b` pass and answer EAGAIN when a rename races with it; no caller needs
 * either. */
bool StaysBelow(std::string_view path) {
  if (path.starts_with('/')) return false;
  while (!path.empty()) {
    if (TakeComponent(path) == "..") return false;
  }
  return true;
}

}  // namespace

Result<Root> Root::Open(const std::string& path) {
  Result<Root> root = Open(path, Lookup::kOpenat2);
  if (!root.ok()) return root;
  // ENOSYS is an old kernel; EPERM is what container runtimes' older seccomp profiles answer for
  // unknown calls.
  const Result<Fd> probe = root->OpenByOpenat2(root->directory_, ".", O_PATH | O_DIRECTORY);
  if (!probe.ok() && (probe.error().number == ENOSYS || probe.error().number == EPERM)) {
    root->lookup_ = Lookup::kStepwise;
  }
  return root;
}

Result<Root> Root::Open(const std::string& path, Lookup lookup) {
  Result<Fd> directory = OpenAt(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
  if (!directory.ok()) return directory.error();
  Result<long> file_system = FileSystemOf(*directory);
  if (!file_system.ok()) return file_system.error();
  return Root(std::move(*directory), *file_system, lookup);
}

Result<Fd> Root::OpenBeneath(const std::string& path, int flags) const {
  return OpenIn(directory_, path, flags);
}

Result<Fd> Root::OpenIn(const Fd& directory, const std::string& path, int flags) const {
  const bool by_openat2 = lookup_ == Lookup::kOpenat2;
  if (!StaysBelow(path)) return SysError{EXDEV, by_openat2 ? "openat2" : "openat"};
  return by_openat2 ? OpenByOpenat2(directory, path, flags) : OpenStepwise(directory, path, flags);
}

Result<Fd> Root::OpenByOpenat2(const Fd& start, const std::string& path, int flags) const {
  std::uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  if (file_system_ == CGROUP2_SUPER_MAGIC) resolve |= RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  return OpenAt2(start.get(), path.c_str(), flags, resolve);
}

Result<Fd> Root::OpenStepwise(const Fd& start, const std::string& path, int flags) const {
  std::string_view rest = path;
  Fd parent;
  int directory = start.get();
  std::string component(TakeComponent(rest));
  while (!rest.empty()) {
    Result<Fd> next = OpenAt(directory, component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!next.ok()) return next;
    parent = std::move(*next);
    directory = parent.get();
    component = TakeComponent(rest);
  }
  Result<Fd> opened = OpenAt(directory, component.c_str(), flags | O_NOFOLLOW);
  if (!opened.ok()) return opened;
  // O_NOFOLLOW does not stop at mount points: something bind-mounted below the root is not part of
  // the hierarchy.
  Result<long> file_system = FileSystemOf(*opened);
  if (!file_system.ok()) return file_system.error();
  if (*file_system != file_system_) return SysError{EXDEV, "fstatfs"};
  return opened;
}

}  // namespace vmcg
