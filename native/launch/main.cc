// vmcg-launch: puts itself into cgroups, then becomes another program.
//
//   vmcg-launch status=3 wait=/run/vmcg/door tasks=4 tasks=5 cgroup=6 close=7 cwd=/
//   rlimit=7:1024:4096 -- FILE ARGUMENTS...
//
// Each argument up to `--` is a step, and they are taken in this order. Started by vmcg with
// descriptors that are open already. It exists because a process can only be put into cgroups
// without the kernel's global lock by itself and while it has one thread; and because one that
// still shares memory with whoever started it would have that memory migrated (cpuset's
// memory_migrate) or leave its starter waiting in vain (a frozen cgroup).

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "exec.h"
#include "steps.h"

namespace vmcg::launch {
namespace {

struct Step {
  std::string_view name;
  int (*take)(const char* value);
};

constexpr std::array kSteps{
    Step{"status", UseStatus},     Step{"wait", WaitAt},         Step{"cgroup", BeBornIn},
    Step{"tasks", Enter},          Step{"close", CloseFrom},     Step{"session", BeginSession},
    Step{"rlimit", LimitResource}, Step{"cwd", ChangeDirectory}, Step{"groups", SetGroups},
    Step{"gid", SetGroup},         Step{"uid", SetUser},
};

int Take(const char* argument) {
  const char* const equals = std::strchr(argument, '=');
  const std::string_view name =
      equals == nullptr ? std::string_view(argument)
                        : std::string_view(argument, static_cast<std::size_t>(equals - argument));
  for (const Step& step : kSteps) {
    if (step.name == name) return step.take(equals == nullptr ? "" : equals + 1);
  }
  return EINVAL;
}

/** @returns the exit status, when it does not become another program. */
int Run(int count, char** arguments) {
  constexpr int kFailed = 127;
  for (int at = 1; at < count; ++at) {
    const bool is_last = std::string_view(arguments[at]) == "--";
    if (is_last && at + 1 == count) break;
    if (is_last) ResetSignals();
    const int error = is_last ? Execute(arguments + at + 1) : Take(arguments[at]);
    if (error == 0) continue;
    Tell(at, error);
    return kFailed;
  }
  Tell(count, EINVAL);
  return kFailed;
}

}  // namespace
}  // namespace vmcg::launch

int main(int count, char** arguments) { return vmcg::launch::Run(count, arguments); }
