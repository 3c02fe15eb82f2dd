#include "file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "file_io.h"
#include "retry.h"

namespace vmcg {
namespace {

constexpr mode_t kLockFileMode = 0600;
constexpr int kMaxAttempts = 100;

/** Whether `path` still leads to the open file. */
Result<bool> IsFileAt(const Fd& file, const std::string& path) {
  struct stat open_file = {};
  struct stat named = {};
  if (fstat(file.get(), &open_file) == -1) return LastError("fstat");
  if (lstat(path.c_str(), &named) == -1) {
    if (errno == ENOENT) return false;
    return LastError("lstat");
  }
  return open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

}  // namespace

Result<Fd> LockFile(const std::string& path, std::string_view holder) {
  // The holder may unlink the file before it lets go. Whoever opened it in between then locks a
  // file that nobody can find any more, beside somebody else who locks the new one: so look again,
  // and start over.
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    Fd file(RetryOnEintr([&] {
      return open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kLockFileMode);
    }));
    if (file.get() == -1) return LastError("open");
    if (RetryOnEintr([&] { return flock(file.get(), LOCK_EX | LOCK_NB); }) == -1) {
      return LastError("flock");
    }
    const Result<bool> is_current = IsFileAt(file, path);
    if (!is_current.ok()) return is_current.error();
    if (!*is_current) continue;
    const Result<Done> written = WriteOnce(file, holder);
    if (!written.ok()) return written.error();
    return file;
  }
  return SysError{EWOULDBLOCK, "flock"};
}

}  // namespace vmcg
