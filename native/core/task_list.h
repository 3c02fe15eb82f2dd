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
  /** The id in the innermost pid namespace; 0 when it was not asked for. */
  std::int32_t ns_tid;
  /** PF_* of the kernel's sched.h. */
  std::uint32_t flags;
  std::uint32_t reserved;
  /** In clock ticks since boot: exact below 2^53, which is 2.8 million years at 100 Hz. */
  double start_time;
  /** Padded with NUL. */
  char comm[16];
};
static_assert(sizeof(TaskRecord) == 40, "the layout is a wire format");

/** Parses the text of /proc/<pid>/task/<tid>/stat; nothing when it is not one. `ns_tid` stays 0. */
std::optional<TaskRecord> ParseTaskStat(std::string_view stat);

/** The last column of NSpid in the text of a `status` file; 0 when there is none (kernels
 * before 4.1). */
std::int32_t ParseInnermostPid(std::string_view status);

/**
 * Appends a TaskRecord for each thread of `pid` (a directory name beneath `proc`) to `bytes`. A
 * thread that vanishes while the list is made is left out; a process that is gone, or goes, is
 * ENOENT or ESRCH.
 */
Result<Done> ListTasks(const Root& proc, const std::string& pid, bool with_ns_tid,
                       std::string& bytes);

}  // namespace vmcg
