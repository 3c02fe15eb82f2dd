#include "bpf.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "retry.h"

namespace vmcg {
namespace {

static_assert(sizeof(bpf_insn) == kWordsPerInstruction * sizeof(std::int32_t));
static_assert(BPF_OBJ_NAME_LEN == kProgramNameSize && BPF_TAG_SIZE == kProgramTagSize);

// Linux 6.17 writes the query's `revision`, whose eight bytes end here, whatever size it is told.
constexpr std::size_t kLastByteWritten = 64;
static_assert(sizeof(bpf_attr) >= kLastByteWritten);

// It is the licence of this project, and none of the kernel's helpers that ask for the GPL is
// called.
constexpr const char* kLicense = "Apache-2.0";

// The kernel gives loading up with EAGAIN when a signal waits for the thread.
constexpr int kLoadTries = 5;
// What the verifier has to say about a few hundred instructions fits; of more it keeps a part.
constexpr std::size_t kLogBytes = std::size_t{64} << 10;

// The kernel's limit of programs per cgroup; more than that only where it is raised one day.
constexpr std::size_t kFirstProgramCount = 64;
constexpr std::size_t kMaxProgramCount = 4096;

/** Without holes of undefined bytes, which the kernel refuses (E2BIG) where it doesn't know the
 * field. */
bpf_attr ZeroedAttributes() {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  return attributes;
}

std::uint64_t AddressOf(const void* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);  // NOLINT(performance-no-int-to-ptr)
}

std::uint32_t Number(const Fd& fd) { return static_cast<std::uint32_t>(fd.get()); }

/** Always the whole union: with a shorter one a newer kernel can write beyond its end. */
long Bpf(bpf_cmd command, bpf_attr& attributes) {
  return RetryOnEintr([&] { return syscall(SYS_bpf, command, &attributes, sizeof(attributes)); });
}

Result<Fd> Load(bpf_attr& attributes) {
  long fd = -1;
  for (int tries = 0; tries < kLoadTries; ++tries) {
    fd = Bpf(BPF_PROG_LOAD, attributes);
    if (fd != -1 || errno != EAGAIN) break;
  }
  if (fd == -1) return LastError("bpf(BPF_PROG_LOAD)");
  return Fd(static_cast<int>(fd));
}

}  // namespace

Result<Fd> LoadDeviceProgram(const std::string& name, std::span<const std::int32_t> instructions,
                             std::string& verifier_log) {
  bpf_attr attributes = ZeroedAttributes();
  if (name.size() >= sizeof(attributes.prog_name)) return SysError{EINVAL, "bpf(BPF_PROG_LOAD)"};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = AddressOf(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size() / kWordsPerInstruction);
  attributes.license = AddressOf(kLicense);
  std::ranges::copy(name, attributes.prog_name);
  Result<Fd> program = Load(attributes);
  if (program.ok()) return program;
  if (program.error().number != EINVAL && program.error().number != EACCES) return program;

  // Once more for the verifier's words, which cost time that a good program need not spend.
  std::string log(kLogBytes, '\0');
  attributes.log_level = 1;
  attributes.log_buf = AddressOf(log.data());
  attributes.log_size = static_cast<std::uint32_t>(log.size());
  Result<Fd> again = Load(attributes);
  verifier_log.append(log, 0, log.find('\0'));
  // A log that does not fit is ENOSPC, which is not what was wrong.
  return again.ok() ? std::move(again) : std::move(program);
}

Result<Fd> OpenProgram(std::uint32_t id) {
  bpf_attr attributes = ZeroedAttributes();
  attributes.prog_id = id;
  const long fd = Bpf(BPF_PROG_GET_FD_BY_ID, attributes);
  if (fd == -1) return LastError("bpf(BPF_PROG_GET_FD_BY_ID)");
  return Fd(static_cast<int>(fd));
}

Result<ProgramInfo> GetProgramInfo(const Fd& program) {
  bpf_prog_info info = {};
  bpf_attr attributes = ZeroedAttributes();
  attributes.info.bpf_fd = Number(program);
  attributes.info.info_len = sizeof(info);
  attributes.info.info = AddressOf(&info);
  if (Bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) == -1)
    return LastError("bpf(BPF_OBJ_GET_INFO_BY_FD)");
  ProgramInfo found = {.id = info.id, .tag = {}, .name = {}, .load_time = info.load_time};
  std::memcpy(found.tag.data(), info.tag, found.tag.size());
  std::memcpy(found.name.data(), info.name, found.name.size());
  return found;
}

Result<Done> AttachDeviceProgram(const Fd& cgroup, const Fd& program, const Fd& replaced) {
  bpf_attr attributes = ZeroedAttributes();
  attributes.target_fd = Number(cgroup);
  attributes.attach_bpf_fd = Number(program);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (replaced.get() != -1) {
    attributes.attach_flags |= BPF_F_REPLACE;
    attributes.replace_bpf_fd = Number(replaced);
  }
  if (Bpf(BPF_PROG_ATTACH, attributes) == -1) return LastError("bpf(BPF_PROG_ATTACH)");
  return Done{};
}

Result<Done> DetachDeviceProgram(const Fd& cgroup, const Fd& program) {
  bpf_attr attributes = ZeroedAttributes();
  attributes.target_fd = Number(cgroup);
  attributes.attach_bpf_fd = Number(program);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  if (Bpf(BPF_PROG_DETACH, attributes) == -1) return LastError("bpf(BPF_PROG_DETACH)");
  return Done{};
}

Result<AttachedPrograms> QueryDevicePrograms(const Fd& cgroup) {
  AttachedPrograms found = {};
  for (std::size_t room = kFirstProgramCount; room <= kMaxProgramCount; room *= 2) {
    found.ids.resize(room);
    bpf_attr attributes = ZeroedAttributes();
    attributes.query.target_fd = Number(cgroup);
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = AddressOf(found.ids.data());
    attributes.query.prog_cnt = static_cast<std::uint32_t>(room);
    if (Bpf(BPF_PROG_QUERY, attributes) == 0) {
      found.attach_flags = attributes.query.attach_flags;
      found.ids.resize(std::min<std::size_t>(attributes.query.prog_cnt, room));
      return found;
    }
    if (errno != ENOSPC) break;
  }
  return LastError("bpf(BPF_PROG_QUERY)");
}

}  // namespace vmcg
