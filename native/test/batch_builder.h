#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/batch.h"

namespace vmcg {

/** Puts a batch together as a test reads: one call per operation. */
class BatchBuilder {
 public:
  explicit BatchBuilder(Root root) : root_(std::make_shared<const Root>(std::move(root))) {}

  BatchBuilder& Group(std::int32_t group) {
    group_ = group;
    return *this;
  }

  BatchBuilder& Add(OpCode code, const std::string& path, const std::string& value = "",
                    const std::string& attribute = "") {
    batch_.operations.push_back(Operation{.code = code,
                                          .optional = false,
                                          .group = group_,
                                          .root = root_,
                                          .path = String(path),
                                          .value = String(value),
                                          .arg = String(attribute),
                                          .ids_start = 0,
                                          .ids_count = 0});
    return *this;
  }

  BatchBuilder& AddOptional(OpCode code, const std::string& path) {
    Add(code, path);
    batch_.operations.back().optional = true;
    return *this;
  }

  BatchBuilder& AddIds(const std::string& path, const std::vector<std::int32_t>& ids) {
    Add(OpCode::kWriteIds, path);
    batch_.operations.back().ids_start = static_cast<std::int32_t>(batch_.ids.size());
    batch_.operations.back().ids_count = static_cast<std::int32_t>(ids.size());
    batch_.ids.insert(batch_.ids.end(), ids.begin(), ids.end());
    return *this;
  }

  BatchBuilder& AddProgram(const std::string& path, const std::string& name,
                           const std::vector<std::int32_t>& instructions) {
    AddIds(path, instructions);
    Operation& operation = batch_.operations.back();
    operation.code = OpCode::kSetDeviceProgram;
    operation.value = String(name);
    operation.arg = 0;
    return *this;
  }

  [[nodiscard]] const Batch& batch() const { return batch_; }

 private:
  std::int32_t String(const std::string& text) {
    batch_.strings.push_back(text);
    return static_cast<std::int32_t>(batch_.strings.size() - 1);
  }

  std::shared_ptr<const Root> root_;
  Batch batch_;
  std::int32_t group_ = 0;
};

/** The bytes of the operation at `at`. */
inline std::string BytesOf(const BatchResult& result, std::size_t at) {
  const auto start = at == 0 ? 0 : static_cast<std::size_t>(result.operations[at - 1].byte_end);
  return result.bytes.substr(start,
                             static_cast<std::size_t>(result.operations[at].byte_end) - start);
}

/** What an operation's bytes begin with that tells of several answers. */
inline std::string BytesOfWords(const std::vector<std::int32_t>& words) {
  std::string bytes(words.size() * sizeof(std::int32_t), '\0');
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

inline std::vector<std::int32_t> ErrorsOf(const BatchResult& result) {
  std::vector<std::int32_t> errors;
  for (const OperationResult& operation : result.operations) errors.push_back(operation.error);
  return errors;
}

}  // namespace vmcg
