#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "result.h"
#include "root.h"

namespace vmcg {

/** One thread, as it goes over the wire (TASK_RECORD_BYTES in src/engine/native.ts). */
struct TaskRecord {
  std::int32_t tid;
  /** PF_* of the kernel's sched.h. */
  std::uint32_t flags;
  /** In clock ticks since boot: exact below 2^53, which is 2.8 million years at 100 Hz. NaN: not
   * asked for. */
  double start_time;
  /** Padded with NUL. */
  char comm[16];
};
static_assert(sizeof(TaskRecord) == 32, "the layout is a wire format");

/** Parses the text of /proc/<pid>/task/<tid>/stat; nothing when it is not one. */
std::optional<TaskRecord> ParseTaskStat(std::string_view stat);

/** Of which threads more is read than the id: of all, or of the process's first alone. */
enum class TaskDetail { kOfAll, kOfLeader };

/**
 * Appends a TaskRecord for each thread of `pid` (a directory name beneath `proc`) to `bytes`. A
 * thread that vanishes while the list is made is left out; a process that is gone, or goes, is
 * ENOENT or ESRCH.
 */
Result<Done> ListTasks(const Root& proc, const std::string& pid, TaskDetail detail,
                       std::string& bytes);

}  // namespace vmcg
