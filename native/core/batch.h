#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "meter.h"
#include "root.h"

namespace vmcg {

/** The numbers are those of `OpCode` in src/engine/native.ts. */
enum class OpCode : std::int32_t {
  kMakeDir = 1,
  kRemoveDir = 2,
  kWrite = 3,
  kRead = 4,
  kWriteIds = 5,
  kSetXattr = 6,
  kInspect = 7,
  kListTasks = 8,
  kListDirs = 9,
  kSetDeviceProgram = 10,
  kRemoveDeviceProgram = 11,
  kListDevicePrograms = 12,
  kReplaceFile = 13,
  /** Of a batch's meters; has no root and no path, and does not come over the wire. */
  kReadMeters = 14,
};

struct Operation {
  OpCode code;
  /** A failure does not stop the rest of the group. */
  bool optional;
  std::int32_t group;
  std::shared_ptr<const Root> root;
  /** Indices into the batch's strings; -1 for what the operation does not need. The value of
   * kInspect is the names of files. */
  std::int32_t path;
  std::int32_t value;
  /** The index of an attribute's or a temporary file's name, the switch of kListTasks, the id of an
   * attached program, or the groups of figures that kReadMeters reads. */
  std::int32_t arg;
  /** The range in the batch's ids that kWriteIds writes, or that are kSetDeviceProgram's
   * instructions. */
  std::int32_t ids_start;
  std::int32_t ids_count;
};

/** Operations in the order to run them. Every index in it has been checked (DecodeBatch). */
struct Batch {
  std::vector<Operation> operations;
  std::vector<std::string> strings;
  std::vector<std::int32_t> ids;
  std::vector<std::shared_ptr<Meter>> meters;
};

/** In place of an errno, for what was not tried because its group had stopped. */
inline constexpr std::int32_t kNotRun = -1;

struct OperationResult {
  std::int32_t error = kNotRun;
  /** How many ids were written. */
  std::int32_t done = 0;
  std::int32_t microseconds = 0;
  /** Where the operation's bytes end in the batch's bytes; they begin where those of the one before
   * end. */
  std::int32_t byte_end = 0;
};

struct BatchResult {
  std::vector<OperationResult> operations;
  std::vector<std::int32_t> id_errors;
  /**
   * What was read, or, for an operation that failed, the name of the system call that did; behind
   * it, after a NUL, what the verifier said of a program that it refused.
   */
  std::string bytes;
};

}  // namespace vmcg
