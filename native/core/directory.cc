#include "directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <string_view>

#include "retry.h"

namespace vmcg {
namespace {

struct CloseDirectory {
  void operator()(DIR* stream) const { closedir(stream); }
};

bool IsDirectory(const Fd& parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat info = {};
  return fstatat(parent.get(), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(info.st_mode);
}

}  // namespace

Result<Done> ForEachSubdirectory(const Fd& directory,
                                 const std::function<void(const char* name)>& visit) {
  // The stream takes over the descriptor it is given, and the caller goes on using its own.
  Fd own(RetryOnEintr([&] { return fcntl(directory.get(), F_DUPFD_CLOEXEC, 0); }));
  if (own.get() == -1) return LastError("fcntl");
  const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(own.get()));
  if (!stream) return LastError("fdopendir");
  static_cast<void>(own.Release());

  while (true) {
    errno = 0;
    // Unsafe only when two threads share one stream; this one is local.
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const dirent* const entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && IsDirectory(directory, *entry)) visit(entry->d_name);
  }
  if (errno != 0) return LastError("getdents64");
  return Done{};
}

}  // namespace vmcg
