#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fd.h"
#include "result.h"

namespace vmcg {

/**
 * bpf(2) for programs of type BPF_PROG_TYPE_CGROUP_DEVICE: the kernel asks every one that is
 * attached to a cgroup, or to one above it, before a process opens a device or makes a node; all of
 * them must allow it. What fails is named in the error by its command, such as
 * `bpf(BPF_PROG_LOAD)`.
 */

/** An instruction is two of these, as `struct bpf_insn` lies in memory. */
inline constexpr std::size_t kWordsPerInstruction = 2;

/** The kernel's BPF_OBJ_NAME_LEN, with the NUL at its end. */
inline constexpr std::size_t kProgramNameSize = 16;
inline constexpr std::size_t kProgramTagSize = 8;

struct ProgramInfo {
  std::uint32_t id;
  /** A hash of the instructions, by the kernel. */
  std::array<char, kProgramTagSize> tag;
  std::array<char, kProgramNameSize> name;
  /** Nanoseconds since boot. */
  std::uint64_t load_time;
};

/** What is attached to one cgroup, in the order in which it is asked. */
struct AttachedPrograms {
  /** BPF_F_ALLOW_MULTI, BPF_F_ALLOW_OVERRIDE or 0; they say nothing where nothing is attached. */
  std::uint32_t attach_flags;
  std::vector<std::uint32_t> ids;
};

/**
 * Loads a program. EINVAL for a name that is longer than the kernel keeps or has letters other than
 * `[A-Za-z0-9_.]`. What the verifier says about a program that it refuses is appended to
 * `verifier_log`. Needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN.
 */
Result<Fd> LoadDeviceProgram(const std::string& name, std::span<const std::int32_t> instructions,
                             std::string& verifier_log);

/** Opens a program by its id, which needs CAP_SYS_ADMIN. ENOENT where there is none. */
Result<Fd> OpenProgram(std::uint32_t id);

Result<ProgramInfo> GetProgramInfo(const Fd& program);

/** Attaches beside what others have attached, or in the place of `replaced` unless that is empty:
 * no request sees neither or both. */
Result<Done> AttachDeviceProgram(const Fd& cgroup, const Fd& program, const Fd& replaced);

Result<Done> DetachDeviceProgram(const Fd& cgroup, const Fd& program);

Result<AttachedPrograms> QueryDevicePrograms(const Fd& cgroup);

}  // namespace vmcg
