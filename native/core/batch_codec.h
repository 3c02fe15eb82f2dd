#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>

#include "batch.h"
#include "result.h"

namespace vmcg {

/** The wire format of src/engine/native.ts: what a batch is sent as, and what its result is. */

inline constexpr std::size_t kOperationWords = 8;
inline constexpr std::int32_t kOptionalFlag = 0x100;

using RootTable = std::map<std::int32_t, std::shared_ptr<const Root>>;

/**
 * Copies a batch out of the caller's memory and checks every index in it. EINVAL for a malformed
 * one, EBADF for an unknown root. `strings` are joined by NUL; "" is one empty string. The ranges
 * of ids must not overlap, since every id has one errno.
 */
Result<Batch> DecodeBatch(std::span<const std::int32_t> words, std::string_view strings,
                          std::span<const std::int32_t> ids, const RootTable& roots);

[[nodiscard]] std::size_t EncodedSize(const BatchResult& result);

/** Fills `out`, which has EncodedSize(result) bytes. */
void EncodeResult(const BatchResult& result, std::span<std::byte> out);

}  // namespace vmcg
