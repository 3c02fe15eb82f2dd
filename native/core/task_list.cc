#include "task_list.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "directory.h"
#include "file_io.h"
#include "retry.h"

namespace vmcg {
namespace {

// Numbers of proc_pid_stat(5). The text behind the comm begins with field 3.
constexpr int kFirstFieldBehindComm = 3;
constexpr int kFlagsField = 9;
constexpr int kStartTimeField = 22;

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

std::string_view TakeField(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
  const std::string_view field = text.substr(0, text.find_first_of(" \t\n"));
  text.remove_prefix(field.size());
  return field;
}

bool IsGone(const SysError& error) { return error.number == ENOENT || error.number == ESRCH; }

/** Reads `<tid>/<file>` below the task directory of a process into `text`. */
Result<Done> ReadTaskFile(const Fd& tasks, const std::string& path, std::string& text) {
  // Relative to the open directory, which belongs to this very process: after its end every lookup
  // is ESRCH or ENOENT, also when its pid has a new owner.
  const Fd file(RetryOnEintr(
      [&] { return openat(tasks.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); }));
  if (file.get() == -1) return LastError("openat");
  text.clear();
  return ReadToEnd(file, text);
}

Result<TaskRecord> ReadTask(const Fd& tasks, const std::string& tid, std::string& text) {
  const Result<Done> read_stat = ReadTaskFile(tasks, tid + "/stat", text);
  if (!read_stat.ok()) return read_stat.error();
  std::optional<TaskRecord> task = ParseTaskStat(text);
  if (!task) return SysError{EPROTO, "read"};
  return *task;
}

/** Of what is listed only by its id. */
Result<TaskRecord> NameTask(const std::string& tid) {
  TaskRecord task = {};
  if (!ParseNumber(tid, task.tid)) return SysError{EPROTO, "getdents64"};
  task.start_time = std::numeric_limits<double>::quiet_NaN();
  return task;
}

}  // namespace

std::optional<TaskRecord> ParseTaskStat(std::string_view stat) {
  // A comm may hold any byte, also ") " and newlines, and is not escaped here; behind it there is
  // no parenthesis.
  const std::size_t open = stat.find(" (");
  const std::size_t close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return std::nullopt;
  }
  TaskRecord task = {};
  if (!ParseNumber(stat.substr(0, open), task.tid)) return std::nullopt;

  // The kernel names some of its own threads with more than the 15 characters of TASK_COMM_LEN.
  const std::string_view comm = stat.substr(open + 2, close - open - 2);
  comm.copy(task.comm, sizeof(task.comm) - 1);

  std::string_view rest = stat.substr(close + 1);
  std::uint64_t start_time = 0;
  for (int field = kFirstFieldBehindComm; field <= kStartTimeField; ++field) {
    const std::string_view text = TakeField(rest);
    if (field == kFlagsField && !ParseNumber(text, task.flags)) return std::nullopt;
    if (field == kStartTimeField && !ParseNumber(text, start_time)) return std::nullopt;
  }
  task.start_time = static_cast<double>(start_time);
  return task;
}

Result<Done> ListTasks(const Root& proc, const std::string& pid, TaskDetail detail,
                       std::string& bytes) {
  Result<Fd> tasks = proc.OpenBeneath(pid + "/task", O_RDONLY | O_DIRECTORY);
  if (!tasks.ok()) return tasks.error();
  std::vector<std::string> tids;
  const Result<Done> listed =
      ForEachSubdirectory(*tasks, [&tids](const char* name) { tids.emplace_back(name); });
  if (!listed.ok()) return listed;

  const std::size_t before = bytes.size();
  std::string text;
  for (const std::string& tid : tids) {
    const bool is_read = detail == TaskDetail::kOfAll || tid == pid;
    const Result<TaskRecord> read = is_read ? ReadTask(*tasks, tid, text) : NameTask(tid);
    if (!read.ok() && IsGone(read.error())) continue;
    if (!read.ok()) {
      bytes.resize(before);
      return read.error();
    }
    const TaskRecord& task = *read;
    bytes.append(reinterpret_cast<const char*>(&task), sizeof(task));
  }
  if (bytes.size() == before) return SysError{ESRCH, "openat"};
  return Done{};
}

}  // namespace vmcg
