#include "batch_run.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "clock.h"
#include "device_programs.h"
#include "file_io.h"
#include "inspect.h"
#include "meter_reading.h"
#include "operations.h"
#include "rewrite.h"
#include "task_list.h"

namespace vmcg {
namespace {

// Keeps the offsets of the result far below 2^31.
constexpr std::size_t kMaxBatchBytes = std::size_t{256} << 20;

// More migrations or replacements are taken in slices, so that a burst does not use up the
// process's descriptors.
constexpr std::size_t kMaxOpenAtOnce = 256;

/** One batch on its way: the operations before `at_` have a result. */
class BatchRun {
 public:
  explicit BatchRun(const Batch& batch) : batch_(batch) {
    result_.operations.resize(batch.operations.size());
    result_.id_errors.assign(batch.ids.size(), kNotRun);
  }

  [[nodiscard]] bool IsAtEnd() const { return at_ == batch_.operations.size(); }

  /** Up to the next operation that is done together with those of other batches, or to the end. */
  void RunToJointOperations() {
    for (; !IsAtEnd() && !IsAt(OpCode::kWriteIds) && !IsAt(OpCode::kReplaceFile); ++at_) {
      RunOne(at_);
    }
  }

  /** Opens what the consecutive migrations from here on write to, `limit` at most. How many. */
  std::size_t OpenMigrations(std::size_t limit) {
    for (; opened_.size() < limit && IsAt(OpCode::kWriteIds); ++at_) {
      opened_.push_back(OpenTarget(at_));
    }
    return opened_.size();
  }

  void WriteMigrations() {
    const std::size_t first = at_ - opened_.size();
    for (std::optional<Target>& target : opened_) {
      const std::size_t at = first + static_cast<std::size_t>(&target - opened_.data());
      if (!target || IsStopped(batch_.operations[at])) {
        Skip(at);
      } else {
        WriteIds(at, *target);
      }
    }
    opened_.clear();
  }

  /** Writes the temporary files of the consecutive replacements from here on, `limit` at most. */
  std::size_t WriteReplacements(std::size_t limit) {
    for (; replaced_.size() < limit && IsAt(OpCode::kReplaceFile); ++at_) {
      replaced_.push_back(WriteTemporary(at_));
    }
    return replaced_.size();
  }

  void SyncReplacements() {
    for (Rewrite& rewrite : replaced_) rewrite.Do(&Replacement::Sync);
  }

  void RenameReplacements() {
    for (Rewrite& rewrite : replaced_) {
      if (IsStopped(batch_.operations[rewrite.at()])) {
        Skip(rewrite.at());
      } else {
        rewrite.Do(&Replacement::Rename);
        Finish(rewrite.at(), rewrite.ended(), rewrite.microseconds());
      }
    }
    replaced_.clear();
  }

  BatchResult TakeResult() && { return std::move(result_); }

 private:
  struct Target {
    Result<Fd> file;
    std::int64_t microseconds;
  };

  [[nodiscard]] bool IsAt(OpCode code) const {
    return !IsAtEnd() && batch_.operations[at_].code == code;
  }

  [[nodiscard]] const std::string& String(std::int32_t index) const {
    return batch_.strings[static_cast<std::size_t>(index)];
  }

  [[nodiscard]] std::span<const std::int32_t> IdsOf(const Operation& operation) const {
    if (operation.ids_count == 0) return {};
    return std::span(batch_.ids)
        .subspan(static_cast<std::size_t>(operation.ids_start),
                 static_cast<std::size_t>(operation.ids_count));
  }

  [[nodiscard]] Inspection InspectionOf(const Operation& operation) const {
    Inspection wanted{.attribute = {}, .files = String(operation.value)};
    if (operation.arg >= 0) wanted.attribute = String(operation.arg);
    return wanted;
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
      case OpCode::kInspect:
        return Inspect(root, path, InspectionOf(operation), result_.bytes);
      case OpCode::kListTasks:
        return ListTasks(root, path,
                         operation.arg == 1 ? TaskDetail::kOfLeader : TaskDetail::kOfAll,
                         result_.bytes);
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
      case OpCode::kReplaceFile:
      case OpCode::kWriteIds:
        break;
    }
    return SysError{EINVAL, "submitBatch"};
  }

  std::optional<Target> OpenTarget(std::size_t at) {
    const Operation& operation = batch_.operations[at];
    if (IsStopped(operation)) return std::nullopt;
    const std::int64_t start = NowMicroseconds();
    Result<Fd> file = operation.root->OpenBeneath(String(operation.path), O_WRONLY);
    return Target{std::move(file), NowMicroseconds() - start};
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

  Rewrite WriteTemporary(std::size_t at) {
    const Operation& operation = batch_.operations[at];
    Rewrite rewrite(at);
    if (IsStopped(operation)) return rewrite;
    rewrite.Begin([&] {
      return Replacement::Write(*operation.root, String(operation.path), String(operation.arg),
                                String(operation.value));
    });
    return rewrite;
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
  std::size_t at_ = 0;
  /** Those right before `at_`; without a value where the group has stopped. */
  std::vector<std::optional<Target>> opened_;
  std::vector<Rewrite> replaced_;
  BatchResult result_;
  std::string verifier_log_;
  std::int32_t stopped_group_ = -1;
};

// Opens first and writes then, as much as may be open at once. False when nobody had any.
bool MigrateSome(std::span<BatchRun> runs) {
  std::size_t left = kMaxOpenAtOnce;
  for (BatchRun& run : runs) left -= run.OpenMigrations(left);
  for (BatchRun& run : runs) run.WriteMigrations();
  return left < kMaxOpenAtOnce;
}

// All are written before the first is synced, so that one commit of a journal serves all of them.
bool ReplaceSome(std::span<BatchRun> runs) {
  std::size_t left = kMaxOpenAtOnce;
  for (BatchRun& run : runs) left -= run.WriteReplacements(left);
  for (BatchRun& run : runs) run.SyncReplacements();
  for (BatchRun& run : runs) run.RenameReplacements();
  return left < kMaxOpenAtOnce;
}

}  // namespace

std::vector<BatchResult> RunBurst(std::span<const Batch* const> batches) {
  std::vector<BatchRun> runs;
  runs.reserve(batches.size());
  for (const Batch* batch : batches) runs.emplace_back(*batch);
  while (!std::ranges::all_of(runs, &BatchRun::IsAtEnd)) {
    for (BatchRun& run : runs) run.RunToJointOperations();
    while (MigrateSome(runs)) continue;
    while (ReplaceSome(runs)) continue;
  }
  std::vector<BatchResult> results;
  results.reserve(runs.size());
  for (BatchRun& run : runs) results.push_back(std::move(run).TakeResult());
  return results;
}

BatchResult RunBatch(const Batch& batch) { return std::move(RunBurst(std::array{&batch}).front()); }

}  // namespace vmcg
