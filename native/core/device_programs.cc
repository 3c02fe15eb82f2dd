#include "device_programs.h"

#include <fcntl.h>
#include <linux/bpf.h>

#include <array>
#include <cstring>
#include <utility>

#include "bpf.h"
#include "held_programs.h"

namespace vmcg {
namespace {

constexpr double kNanosecondsPerMicrosecond = 1000;

struct Record {
  std::uint32_t id;
  std::uint32_t attach_flags;
  std::int32_t error;
  std::uint32_t reserved;
  double load_time_us;
  std::array<char, kProgramTagSize> tag;
  std::array<char, kProgramNameSize> name;
};
static_assert(sizeof(Record) == kProgramRecordBytes);

void AppendRecord(std::uint32_t id, std::uint32_t attach_flags, const Result<ProgramInfo>& info,
                  std::string& bytes) {
  Record record = {};
  record.id = id;
  record.attach_flags = attach_flags;
  if (info.ok()) {
    record.load_time_us = static_cast<double>(info->load_time) / kNanosecondsPerMicrosecond;
    record.tag = info->tag;
    record.name = info->name;
  } else {
    record.error = info.error().number;
  }
  std::array<char, sizeof(record)> raw{};
  std::memcpy(raw.data(), &record, raw.size());
  bytes.append(raw.data(), raw.size());
}

Result<Fd> OpenCgroup(const Root& root, const std::string& path) {
  return root.OpenBeneath(path, O_RDONLY | O_DIRECTORY);
}

/** The program itself where we hold it, else by its id. */
Result<Fd> Get(const Root& root, const std::string& path, std::uint32_t id) {
  Result<Fd> held = root.held_programs().Find(path, id);
  return held.ok() ? std::move(held) : OpenProgram(id);
}

Result<ProgramInfo> InfoOf(const Root& root, const std::string& path, std::uint32_t id) {
  const Result<Fd> program = Get(root, path, id);
  if (!program.ok()) return program.error();
  return GetProgramInfo(*program);
}

}  // namespace

Result<Done> SetDeviceProgram(const Root& root, const std::string& path, const NewProgram& program,
                              std::string& bytes, std::string& verifier_log) {
  const Result<Fd> cgroup = OpenCgroup(root, path);
  if (!cgroup.ok()) return cgroup.error();
  Fd replaced;
  if (program.replaces != 0) {
    Result<Fd> old = Get(root, path, program.replaces);
    if (!old.ok()) return old.error();
    replaced = std::move(*old);
  }
  Result<Fd> loaded = LoadDeviceProgram(program.name, program.instructions, verifier_log);
  if (!loaded.ok()) return loaded.error();
  const Result<ProgramInfo> info = GetProgramInfo(*loaded);
  if (!info.ok()) return info.error();
  const Result<Done> attached = AttachDeviceProgram(*cgroup, *loaded, replaced);
  if (!attached.ok()) return attached;
  AppendRecord(info->id, BPF_F_ALLOW_MULTI, info, bytes);
  root.held_programs().Hold(path, info->id, std::move(*loaded));
  return Done{};
}

Result<Done> RemoveDeviceProgram(const Root& root, const std::string& path, std::uint32_t id) {
  const Result<Fd> cgroup = OpenCgroup(root, path);
  if (!cgroup.ok()) return cgroup.error();
  const Result<Fd> program = Get(root, path, id);
  if (!program.ok()) return program.error();
  const Result<Done> detached = DetachDeviceProgram(*cgroup, *program);
  if (detached.ok()) root.held_programs().Drop(path, id);
  return detached;
}

Result<Done> ListDevicePrograms(const Root& root, const std::string& path, std::string& bytes) {
  const Result<Fd> cgroup = OpenCgroup(root, path);
  if (!cgroup.ok()) return cgroup.error();
  const Result<AttachedPrograms> attached = QueryDevicePrograms(*cgroup);
  if (!attached.ok()) return attached.error();
  for (const std::uint32_t id : attached->ids) {
    AppendRecord(id, attached->attach_flags, InfoOf(root, path, id), bytes);
  }
  return Done{};
}

}  // namespace vmcg
