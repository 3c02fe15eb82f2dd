#include "steps.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/launch_message.h"
#include "../core/retry.h"
#include "numbers.h"

namespace vmcg::launch {
namespace {

// NGROUPS_MAX of the kernel is 65536; nobody's VMM is in that many.
constexpr std::size_t kMaxGroups = 1024;

// The digits of the largest pid, and a newline.
constexpr std::size_t kPidText = 12;

int status_pipe = -1;

int ErrnoOf(long result) { return result == -1 ? errno : 0; }

/** 0 stands for the writer. The kernel takes no global lock for a single thread that moves itself.
 */
int WriteOwn(int file) {
  const ssize_t written = RetryOnEintr([&] { return write(file, "0", 1); });
  return ErrnoOf(written);
}

/** What kernels and seccomp filters answer that do not know of CLONE_INTO_CGROUP. */
bool IsUnknownToKernel(int error) {
  return error == ENOSYS || error == E2BIG || error == EINVAL || error == EPERM;
}

int MoveInto(int cgroup) {
  const int procs =
      RetryOnEintr([&] { return openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC); });
  if (procs == -1) return errno;
  const int error = WriteOwn(procs);
  close(procs);
  return error;
}

/** Says who we are, and waits for an answer; that nobody is there any more is none. */
int AskToGoOn(int door) {
  std::array<char, kPidText> text{};
  char* const end = std::to_chars(text.data(), text.data() + text.size() - 1, getpid()).ptr;
  *end = '\n';
  const auto size = static_cast<std::size_t>(end + 1 - text.data());
  const ssize_t said = RetryOnEintr([&] { return send(door, text.data(), size, MSG_NOSIGNAL); });
  if (said == -1) return errno;
  char answer = 0;
  const ssize_t heard = RetryOnEintr([&] { return read(door, &answer, 1); });
  return heard == 0 ? ECANCELED : ErrnoOf(heard);
}

}  // namespace

int UseStatus(const char* descriptor) {
  status_pipe = static_cast<int>(ParseNumber(descriptor));
  return ErrnoOf(fcntl(status_pipe, F_SETFD, FD_CLOEXEC));
}

void Tell(int step, int value) {
  const LaunchMessage message{step, value};
  RetryOnEintr([&] { return write(status_pipe, &message, sizeof(message)); });
}

int WaitAt(const char* path) {
  const std::string_view name = path;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  name.copy(static_cast<char*>(address.sun_path), name.size());
  const int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (door == -1) return errno;
  const int refused = RetryOnEintr(
      [&] { return connect(door, reinterpret_cast<const sockaddr*>(&address), sizeof(address)); });
  const int error = refused == -1 ? errno : AskToGoOn(door);
  close(door);
  return error;
}

int BeBornIn(const char* descriptor) {
  const int cgroup = static_cast<int>(ParseNumber(descriptor));
  clone_args args = {};
  // The exit signal of a child with this process's own parent is that of this process.
  args.flags = CLONE_INTO_CGROUP | CLONE_PARENT;
  args.cgroup = static_cast<std::uint64_t>(cgroup);
  const long pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid > 0) {
    Tell(kBorn, static_cast<int>(pid));
    _exit(0);
  }
  int error = ErrnoOf(pid);
  if (IsUnknownToKernel(error)) {
    Tell(kBorn, getpid());
    error = MoveInto(cgroup);
  }
  close(cgroup);
  return error;
}

int Enter(const char* descriptor) {
  const int tasks = static_cast<int>(ParseNumber(descriptor));
  const int error = WriteOwn(tasks);
  close(tasks);
  return error;
}

int CloseFrom(const char* descriptor) {
  const auto first = static_cast<unsigned>(ParseNumber(descriptor));
  if (syscall(SYS_close_range, first, ~0U, 0U) == 0) return 0;
  // Before Linux 5.9: everything up to the limit, below which every descriptor lies.
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == -1) return errno;
  for (rlim_t fd = first; fd < limit.rlim_cur; ++fd) close(static_cast<int>(fd));
  return 0;
}

int BeginSession(const char* /*nothing*/) { return ErrnoOf(setsid()); }

int LimitResource(const char* limit) {
  const char* rest = limit;
  const auto resource = static_cast<__rlimit_resource>(TakeNumber(rest, ':'));
  rlimit wanted = {};
  wanted.rlim_cur = TakeNumber(rest, ':');
  wanted.rlim_max = TakeNumber(rest, ':');
  return ErrnoOf(setrlimit(resource, &wanted));
}

int ChangeDirectory(const char* path) { return ErrnoOf(chdir(path)); }

int SetGroups(const char* groups) {
  std::array<gid_t, kMaxGroups> list{};
  std::size_t count = 0;
  for (const char* rest = groups; *rest != '\0'; ++count) {
    if (count == list.size()) return EINVAL;
    list.at(count) = static_cast<gid_t>(TakeNumber(rest, ','));
  }
  return ErrnoOf(setgroups(count, list.data()));
}

int SetGroup(const char* group) { return ErrnoOf(setgid(static_cast<gid_t>(ParseNumber(group)))); }

int SetUser(const char* user) { return ErrnoOf(setuid(static_cast<uid_t>(ParseNumber(user)))); }

}  // namespace vmcg::launch
