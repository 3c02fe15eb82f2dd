#include "device_stat.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "retry.h"

namespace vmcg {
namespace {

/** An id of the kernel fits: it has 12 bits for the major and 20 for the minor number. */
std::int32_t Word(unsigned int value) { return static_cast<std::int32_t>(value); }

void StatDevice(const char* path, std::span<std::int32_t, kDeviceStatWords> words) {
  std::ranges::fill(words, 0);
  struct stat status = {};
  if (RetryOnEintr([&] { return stat(path, &status); }) == -1) {
    words[0] = errno;
    return;
  }
  words[1] = Word(status.st_mode & S_IFMT);
  if (S_ISBLK(status.st_mode) || S_ISCHR(status.st_mode)) {
    words[2] = Word(major(status.st_rdev));
    words[3] = Word(minor(status.st_rdev));
  }
}

}  // namespace

std::size_t CountPaths(const std::string& joined_paths) {
  return static_cast<std::size_t>(std::ranges::count(joined_paths, '\0')) + 1;
}

void StatDevices(const std::string& joined_paths, std::span<std::int32_t> words) {
  // Each path ends with the NUL that joins it to the next, the last one with the string's own.
  const char* path = joined_paths.c_str();
  for (std::size_t at = 0; at < CountPaths(joined_paths); at++) {
    StatDevice(path, words.subspan(at * kDeviceStatWords).first<kDeviceStatWords>());
    path += std::strlen(path) + 1;
  }
}

}  // namespace vmcg
