#include "replacement.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "file_io.h"
#include "retry.h"

namespace vmcg {
namespace {

constexpr mode_t kFileMode = 0600;

Result<Fd> MakeFile(const Fd& directory, const char* name) {
  const int fd = RetryOnEintr([&] {
    return openat(directory.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  kFileMode);
  });
  if (fd == -1) return LastError("openat");
  return Fd(fd);
}

Result<Fd> MakeFileAnew(const Fd& directory, const char* name) {
  Result<Fd> made = MakeFile(directory, name);
  if (made.ok() || made.error().number != EEXIST) return made;
  const bool is_gone = unlinkat(directory.get(), name, /*flags=*/0) == 0 || errno == ENOENT;
  if (!is_gone) return LastError("unlinkat");
  return MakeFile(directory, name);
}

}  // namespace

Result<Replacement> Replacement::Write(const Root& root, const std::string& path,
                                       const std::string& temporary, const std::string& text) {
  if (temporary.empty() || temporary.find('/') != std::string::npos) {
    return SysError{EINVAL, "openat"};
  }
  Result<Entry> place = OpenParent(root, path, "renameat");
  if (!place.ok()) return place.error();
  Result<Fd> file = MakeFileAnew(place->parent, temporary.c_str());
  if (!file.ok()) return file.error();
  Replacement made(std::move(*place), temporary, std::move(*file));
  const Result<Done> written = WriteOnce(made.file_, text);
  if (!written.ok()) return written.error();
  return made;
}

Replacement::~Replacement() {
  if (place_.parent.get() == -1) return;
  static_cast<void>(unlinkat(place_.parent.get(), temporary_.c_str(), /*flags=*/0));
}

Result<Done> Replacement::Sync() {
  if (RetryOnEintr([&] { return fsync(file_.get()); }) == -1) return LastError("fsync");
  return Done{};
}

Result<Done> Replacement::Rename() {
  const int directory = place_.parent.get();
  if (renameat(directory, temporary_.c_str(), directory, place_.name.c_str()) == -1) {
    return LastError("renameat");
  }
  place_.parent = Fd();
  return Done{};
}

}  // namespace vmcg
