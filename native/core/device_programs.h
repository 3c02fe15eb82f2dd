#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "result.h"
#include "root.h"

namespace vmcg {

/** The operations of a batch on the device programs of a cgroup of v2; EBADF for one of v1. */

/**
 * One program, as the result of a batch has it:
 * `uint32 id, uint32 attachFlags, int32 errno, uint32 reserved, float64 loadTime (microseconds
 * since boot), char tag[8], char name[16]`. With an errno that is not 0 nothing is known but the
 * id: EPERM without CAP_SYS_ADMIN.
 */
inline constexpr std::size_t kProgramRecordBytes = 48;

struct NewProgram {
  const std::string& name;
  std::span<const std::int32_t> instructions;
  /** The id of the attached program whose place it takes; 0: none. */
  std::uint32_t replaces;
};

/**
 * Loads a program and attaches it, or does neither. Appends its record to `bytes`; what the
 * verifier says about one that it refuses goes to `verifier_log`. ENOENT when what should be
 * replaced is not attached.
 */
Result<Done> SetDeviceProgram(const Root& root, const std::string& path, const NewProgram& program,
                              std::string& bytes, std::string& verifier_log);

/** Takes the program with this id off the cgroup; ENOENT when it is not attached. */
Result<Done> RemoveDeviceProgram(const Root& root, const std::string& path, std::uint32_t id);

/** Appends the record of every program that is attached to the cgroup itself, in the order in which
 * they are asked. */
Result<Done> ListDevicePrograms(const Root& root, const std::string& path, std::string& bytes);

}  // namespace vmcg
