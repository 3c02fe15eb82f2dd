#include "batch_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "bpf.h"

namespace vmcg {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire format is little endian");

using Words = std::array<std::int32_t, kOperationWords>;
using Header = std::array<std::int32_t, 4>;

constexpr SysError kMalformed{EINVAL, "submitBatch"};
constexpr SysError kUnknownRoot{EBADF, "submitBatch"};

std::vector<std::string> SplitAtNul(std::string_view joined) {
  std::vector<std::string> strings;
  while (true) {
    const std::size_t end = joined.find('\0');
    strings.emplace_back(joined.substr(0, end));
    if (end == std::string_view::npos) return strings;
    joined.remove_prefix(end + 1);
  }
}

std::optional<OpCode> DecodeOpCode(std::int32_t code) {
  const auto first = static_cast<std::int32_t>(OpCode::kMakeDir);
  const auto last = static_cast<std::int32_t>(OpCode::kReplaceFile);
  if (code < first || code > last) return std::nullopt;
  return static_cast<OpCode>(code);
}

bool NeedsValue(OpCode code) {
  return code == OpCode::kWrite || code == OpCode::kSetXattr || code == OpCode::kReplaceFile ||
         code == OpCode::kInspect || code == OpCode::kSetDeviceProgram;
}

/** Of an attribute, or of a temporary file. */
bool NeedsName(OpCode code) { return code == OpCode::kSetXattr || code == OpCode::kReplaceFile; }

bool IsIndex(std::int32_t index, bool needed, std::size_t count) {
  return index >= (needed ? 0 : -1) && index < static_cast<std::int64_t>(count);
}

bool HasValidStrings(const Operation& operation, std::size_t count) {
  if (!IsIndex(operation.path, true, count)) return false;
  if (!IsIndex(operation.value, NeedsValue(operation.code), count)) return false;
  switch (operation.code) {
    case OpCode::kListTasks:
      return operation.arg >= -1 && operation.arg <= 1;
    case OpCode::kSetDeviceProgram:
      return operation.arg >= 0;
    case OpCode::kRemoveDeviceProgram:
      return operation.arg > 0;
    default:
      return IsIndex(operation.arg, NeedsName(operation.code), count);
  }
}

bool HasValidIdCount(const Operation& operation) {
  if (operation.code == OpCode::kWriteIds) return operation.ids_count >= 0;
  if (operation.code != OpCode::kSetDeviceProgram) return operation.ids_count == 0;
  return operation.ids_count > 0 && operation.ids_count % int{kWordsPerInstruction} == 0;
}

/** Within the batch's, and behind those of the operation before. */
bool HasValidIds(const Operation& operation, std::int64_t& ids_end, std::size_t count) {
  if (!HasValidIdCount(operation)) return false;
  if (operation.ids_count == 0) return true;
  const std::int64_t end = std::int64_t{operation.ids_start} + operation.ids_count;
  if (operation.ids_start < ids_end || end > static_cast<std::int64_t>(count)) return false;
  ids_end = end;
  return true;
}

template <typename T>
void Append(std::span<std::byte>& out, const T* values, std::size_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::size_t size = count * sizeof(T);
  if (size > 0) std::memcpy(out.data(), values, size);
  out = out.subspan(size);
}

}  // namespace

Result<Batch> DecodeBatch(std::span<const std::int32_t> words, std::string_view strings,
                          std::span<const std::int32_t> ids, const RootTable& roots) {
  if (words.size() % kOperationWords != 0) return kMalformed;
  Batch batch;
  batch.strings = SplitAtNul(strings);
  batch.ids.assign(ids.begin(), ids.end());
  batch.operations.reserve(words.size() / kOperationWords);

  std::int32_t group = 0;
  std::int64_t ids_end = 0;
  for (; !words.empty(); words = words.subspan(kOperationWords)) {
    // Copied before it is checked: another thread may write to the caller's memory at any time.
    Words word{};
    std::copy_n(words.begin(), kOperationWords, word.begin());

    const std::optional<OpCode> code = DecodeOpCode(word[0] & ~kOptionalFlag);
    if (!code) return kMalformed;
    const auto root = roots.find(word[1]);
    if (root == roots.end()) return kUnknownRoot;
    const Operation operation{
        .code = *code,
        .optional = (word[0] & kOptionalFlag) != 0,
        .group = word[7],
        .root = root->second,
        .path = word[2],
        .value = word[3],
        .arg = word[4],
        .ids_start = word[5],
        .ids_count = word[6],
    };
    if (operation.group < group) return kMalformed;
    if (!HasValidStrings(operation, batch.strings.size())) return kMalformed;
    if (!HasValidIds(operation, ids_end, batch.ids.size())) return kMalformed;
    group = operation.group;
    batch.operations.push_back(operation);
  }
  return batch;
}

std::size_t EncodedSize(const BatchResult& result) {
  return sizeof(Header) + result.operations.size() * sizeof(OperationResult) +
         result.id_errors.size() * sizeof(std::int32_t) + result.bytes.size();
}

void EncodeResult(const BatchResult& result, std::span<std::byte> out) {
  static_assert(sizeof(OperationResult) == 4 * sizeof(std::int32_t));
  const Header header{
      static_cast<std::int32_t>(result.operations.size()),
      static_cast<std::int32_t>(result.id_errors.size()),
      static_cast<std::int32_t>(result.bytes.size()),
      0,
  };
  Append(out, header.data(), header.size());
  Append(out, result.operations.data(), result.operations.size());
  Append(out, result.id_errors.data(), result.id_errors.size());
  Append(out, result.bytes.data(), result.bytes.size());
}

}  // namespace vmcg
