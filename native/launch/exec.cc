#include "exec.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <string_view>

namespace vmcg::launch {
namespace {

// As execvp(3), where PATH is not set.
constexpr std::string_view kDefaultPath = "/bin:/usr/bin";

// The kernel's sigset_t: 64 signals.
constexpr std::size_t kSignalSetBytes = 8;

int ExecuteIn(std::string_view directory, std::string_view name, char* const* arguments) {
  std::array<char, PATH_MAX> path{};
  if (directory.empty()) directory = ".";
  if (directory.size() + name.size() + 2 > path.size()) return ENAMETOOLONG;
  char* end = std::copy(directory.begin(), directory.end(), path.begin());
  *end++ = '/';
  std::copy(name.begin(), name.end(), end);
  execve(path.data(), arguments, environ);
  return errno;
}

}  // namespace

void ResetSignals() {
  // The kernel's own call: the C library's would leave out two signals of its own, which
  // posix_spawn(3) has set to be ignored. Zeros are SIG_DFL without flags, whatever else is in the
  // kernel's structure. SIGKILL and SIGSTOP refuse, and need nothing.
  const std::array<unsigned long, 4> by_default{};
  for (int number = 1; number < NSIG; ++number) {
    syscall(SYS_rt_sigaction, number, by_default.data(), nullptr, kSignalSetBytes);
  }
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

int Execute(char* const* arguments) {
  const std::string_view name = arguments[0];
  if (name.find('/') != std::string_view::npos) {
    execve(arguments[0], arguments, environ);
    return errno;
  }
  if (name.empty()) return ENOENT;
  const char* const listed = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
  std::string_view rest = listed == nullptr ? kDefaultPath : std::string_view(listed);
  int error = ENOENT;
  while (true) {
    const std::size_t colon = rest.find(':');
    const int here = ExecuteIn(rest.substr(0, colon), name, arguments);
    // A file of this name that may not be run is worth telling of, unless a later one can be.
    if (here != ENOENT && here != ENOTDIR && here != EACCES) return here;
    if (here == EACCES) error = EACCES;
    if (colon == std::string_view::npos) return error;
    rest.remove_prefix(colon + 1);
  }
}

}  // namespace vmcg::launch
