#include "held_programs.h"

#include <fcntl.h>

#include <utility>

#include "retry.h"

namespace vmcg {

Result<Fd> HeldPrograms::Find(const std::string& cgroup, std::uint32_t id) const {
  const std::lock_guard lock(mutex_);
  const auto held = by_cgroup_.find(cgroup);
  if (held == by_cgroup_.end() || held->second.id != id) return SysError{ENOENT, "fcntl"};
  const int fd =
      RetryOnEintr([&] { return fcntl(held->second.program.get(), F_DUPFD_CLOEXEC, 0); });
  if (fd == -1) return LastError("fcntl");
  return Fd(fd);
}

void HeldPrograms::Hold(const std::string& cgroup, std::uint32_t id, Fd program) {
  const std::lock_guard lock(mutex_);
  by_cgroup_.insert_or_assign(cgroup, Held{id, std::move(program)});
}

void HeldPrograms::Drop(const std::string& cgroup, std::uint32_t id) {
  const std::lock_guard lock(mutex_);
  const auto held = by_cgroup_.find(cgroup);
  if (held != by_cgroup_.end() && held->second.id == id) by_cgroup_.erase(held);
}

void HeldPrograms::DropAll(const std::string& cgroup) {
  const std::lock_guard lock(mutex_);
  by_cgroup_.erase(cgroup);
}

}  // namespace vmcg
