#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fd.h"
#include "result.h"

namespace vmcg {

/** The largest file that is read whole; a longer one is EFBIG. */
inline constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

/** Writes `value` by one write(2): the kernel parses each write of a knob on its own. A short write
 * is EIO. */
Result<Done> WriteOnce(const Fd& fd, std::string_view value);

/** Reads from the current position to the end and appends to `bytes`, which an error leaves as it
 * was. */
Result<Done> ReadToEnd(const Fd& fd, std::string& bytes);

/**
 * Writes each id as decimal text by a write(2) of its own, and the errno of each (0: written) to
 * `errors`, which has the length of `ids`. An id of 0 or less is EINVAL and is never written: to
 * `tasks` and `cgroup.procs`, 0 means the writer. Returns how many were written.
 */
std::int32_t WriteEachId(const Fd& fd, std::span<const std::int32_t> ids,
                         std::span<std::int32_t> errors);

}  // namespace vmcg
