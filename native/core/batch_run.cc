#include "batch_run.h"

#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <span>

#include "device_programs.h"
#include "file_io.h"
#include "meter_reading.h"
#include "operations.h"
#include "task_list.h"

namespace vmcg {
namespace {

// Keeps the offsets of the result far below 2^31.
constexpr std::size_t kMaxBatchBytes = std::size_t{256} << 20;

// A longer run of kWriteIds is taken in slices, so that a burst does not use up the process's
// descriptors.
constexpr std::size_t kMaxOpenAtOnce = 256;

std::int64_t NowMicroseconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

class BatchRun {
 public:
  explicit BatchRun(const Batch& batch) : batch_(batch) {
    result_.operations.resize(batch.operations.size());
    result_.id_errors.assign(batch.ids.size(), kNotRun);
  }

  BatchResult Run() && {
    std::size_t at = 0;
    while (at < batch_.operations.size()) {
      if (batch_.operations[at].code == OpCode::kWriteIds) {
        at = RunWriteIds(at);
      } else {
        RunOne(at);
        ++at;
      }
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] const std::string& String(std::int32_t index) const {
    return batch_.strings[static_cast<std::size_t>(index)];
  }

  [[nodiscard]] std::span<const std::int32_t> IdsOf(const Operation& operation) const {
    if (operation.ids_count == 0) return {};
    return std::span(batch_.ids)
        .subspan(static_cast<std::size_t>(operation.ids_start),
                 static_cast<std::size_t>(operation.ids_count));
  }

  // Groups ascend, so only the latest one can still have operations to skip.
  [[nodiscard]] bool IsStopped(const Operation& operation) const {
    return operation.group == stopped_group_;
  }

  void RunOne(std::size_t at) {
    const Operation& operation = batch_.operations[at];
    if (IsStopped(operation)) {
      Skip(at);
      return;
    }
    const std::int64_t start = NowMicroseconds();
    const std::size_t bytes_before = result_.bytes.size();
    Result<Done> ended = Execute(operation);
    if (result_.bytes.size() > kMaxBatchBytes) ended = SysError{EFBIG, "read"};
    if (!ended.ok()) result_.bytes.resize(bytes_before);
    Finish(at, ended, NowMicroseconds() - start);
  }

  Result<Done> Execute(const Operation& operation) {
    if (operation.code == OpCode::kReadMeters) {
      return ReadMeters(batch_.meters, static_cast<std::uint32_t>(operation.arg), result_.bytes);
    }
    const Root& root = *operation.root;
    const std::string& path = String(operation.path);
    switch (operation.code) {
      case OpCode::kMakeDir:
        return MakeDir(root, path);
      case OpCode::kRemoveDir:
        return RemoveDir(root, path);
      case OpCode::kWrite:
        return WriteFile(root, path, String(operation.value));
      case OpCode::kRead:
        return ReadFile(root, path, result_.bytes);
      case OpCode::kSetXattr:
        return SetXattr(root, path, String(operation.arg), String(operation.value));
      case OpCode::kGetXattr:
        return GetXattr(root, path, String(operation.arg), result_.bytes);
      case OpCode::kListTasks:
        return ListTasks(root, path, operation.arg == 1, result_.bytes);
      case OpCode::kListDirs:
        return ListDirs(root, path, result_.bytes);
      case OpCode::kSetDeviceProgram:
        return SetDeviceProgram(root, path,
                                NewProgram{.name = String(operation.value),
                                           .instructions = IdsOf(operation),
                                           .replaces = static_cast<std::uint32_t>(operation.arg)},
                                result_.bytes, verifier_log_);
      case OpCode::kRemoveDeviceProgram:
        return RemoveDeviceProgram(root, path, static_cast<std::uint32_t>(operation.arg));
      case OpCode::kListDevicePrograms:
        return ListDevicePrograms(root, path, result_.bytes);
      case OpCode::kReadMeters:
      case OpCode::kWriteIds:
        break;
    }
    return SysError{EINVAL, "submitBatch"};
  }

  struct Target {
    std::size_t at;
    Result<Fd> file;
    std::int64_t microseconds;
  };

  // Opens everything first: once the writes begin they go back to back, and share one grace period
  // of the kernel's cgroup_threadgroup_rwsem. Returns where the run ends.
  std::size_t RunWriteIds(std::size_t first) {
    const std::size_t limit = std::min(batch_.operations.size(), first + kMaxOpenAtOnce);
    std::vector<std::optional<Target>> targets;
    std::size_t end = first;
    for (; end < limit && batch_.operations[end].code == OpCode::kWriteIds; ++end) {
      targets.push_back(OpenTarget(end));
    }
    for (std::optional<Target>& target : targets) {
      const std::size_t at = first + static_cast<std::size_t>(&target - targets.data());
      if (!target || IsStopped(batch_.operations[at])) {
        Skip(at);
      } else {
        WriteIds(at, *target);
      }
    }
    return end;
  }

  std::optional<Target> OpenTarget(std::size_t at) {
    const Operation& operation = batch_.operations[at];
    if (IsStopped(operation)) return std::nullopt;
    const std::int64_t start = NowMicroseconds();
    Result<Fd> file = operation.root->OpenBeneath(String(operation.path), O_WRONLY);
    return Target{at, std::move(file), NowMicroseconds() - start};
  }

  void WriteIds(std::size_t at, Target& target) {
    const Operation& operation = batch_.operations[at];
    if (!target.file.ok()) {
      Finish(at, target.file.error(), target.microseconds);
      return;
    }
    const std::int64_t start = NowMicroseconds();
    const std::span<const std::int32_t> ids = IdsOf(operation);
    if (!ids.empty()) {
      const auto ids_start = static_cast<std::size_t>(operation.ids_start);
      result_.operations[at].done = WriteEachId(
          *target.file, ids, std::span(result_.id_errors).subspan(ids_start, ids.size()));
    }
    Finish(at, Done{}, target.microseconds + NowMicroseconds() - start);
  }

  void Skip(std::size_t at) { result_.operations[at].byte_end = ByteEnd(); }

  void Finish(std::size_t at, const Result<Done>& ended, std::int64_t microseconds) {
    OperationResult& result = result_.operations[at];
    result.error = ended.ok() ? 0 : ended.error().number;
    if (!ended.ok()) {
      result_.bytes += ended.error().syscall;
      if (!verifier_log_.empty()) result_.bytes += '\0' + verifier_log_;
      if (!batch_.operations[at].optional) stopped_group_ = batch_.operations[at].group;
    }
    result.microseconds = static_cast<std::int32_t>(
        std::min<std::int64_t>(microseconds, std::numeric_limits<std::int32_t>::max()));
    verifier_log_.clear();
    result.byte_end = ByteEnd();
  }

  [[nodiscard]] std::int32_t ByteEnd() const {
    return static_cast<std::int32_t>(result_.bytes.size());
  }

  const Batch& batch_;
  BatchResult result_;
  std::string verifier_log_;
  std::int32_t stopped_group_ = -1;
};

}  // namespace

BatchResult RunBatch(const Batch& batch) { return BatchRun(batch).Run(); }

}  // namespace vmcg
