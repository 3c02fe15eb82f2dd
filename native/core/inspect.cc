#include "inspect.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "file_io.h"
#include "operations.h"

namespace vmcg {
namespace {

/** Of an answer, ahead of all that was read: how it went, and how much it is. */
struct Answer {
  std::int32_t error;
  std::int32_t length;
};

/** Keeps the lengths far below 2^31. */
constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

/** Writes answers into the room that was left for them. */
class Answers {
 public:
  Answers(std::string& bytes, std::int32_t count) : bytes_(bytes) {
    bytes_.append(reinterpret_cast<const char*>(&count), sizeof count);
    at_ = bytes_.size();
    bytes_.resize(at_ + static_cast<std::size_t>(count) * sizeof(Answer));
  }

  template <typename Read>
  void Add(const Read& read) {
    const std::size_t before = bytes_.size();
    const Result<Done> ended = read();
    if (!ended.ok()) bytes_.resize(before);
    const Answer answer{.error = ended.ok() ? 0 : ended.error().number,
                        .length = static_cast<std::int32_t>(bytes_.size() - before)};
    std::memcpy(bytes_.data() + at_, &answer, sizeof answer);
    at_ += sizeof answer;
  }

 private:
  std::string& bytes_;
  std::size_t at_ = 0;
};

std::int32_t CountNames(std::string_view names) {
  if (names.empty()) return 0;
  return static_cast<std::int32_t>(1 + std::ranges::count(names, '/'));
}

}  // namespace

Result<Done> Inspect(const Root& root, const std::string& path, const Inspection& wanted,
                     std::string& bytes) {
  // Not O_PATH: fgetxattr answers EBADF to such a descriptor.
  Result<Fd> directory = root.OpenBeneath(path, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return directory.error();
  const std::size_t before = bytes.size();
  const std::int32_t count = CountNames(wanted.files);
  Answers answers(bytes, 1 + count);
  answers.Add([&]() -> Result<Done> {
    if (wanted.attribute.empty()) return SysError{ENODATA, "fgetxattr"};
    return GetXattr(*directory, std::string(wanted.attribute), bytes);
  });
  std::string_view rest = wanted.files;
  for (std::int32_t i = 0; i < count; ++i) {
    const std::string name(rest.substr(0, rest.find('/')));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    answers.Add([&]() -> Result<Done> {
      Result<Fd> file = root.OpenIn(*directory, name, O_RDONLY);
      if (!file.ok()) return file.error();
      return ReadToEnd(*file, bytes);
    });
    if (bytes.size() - before > kMaxBytes) return SysError{EFBIG, "read"};
  }
  return Done{};
}

}  // namespace vmcg
