#include "launch_codec.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <utility>

namespace vmcg {
namespace {

constexpr std::size_t kHeaderWords = 4;
constexpr std::size_t kFileWords = 2;
constexpr std::int32_t kNullDevice = -1;
constexpr std::int32_t kPipe = -2;

/** Texts that are joined by NUL, one after the other. */
class Texts {
 public:
  explicit Texts(std::string_view joined) : rest_(joined) {}

  std::string Take() {
    const std::size_t end = std::min(rest_.find('\0'), rest_.size());
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return text;
  }

  std::vector<std::string> Take(std::size_t count) {
    std::vector<std::string> texts;
    texts.reserve(count);
    for (std::size_t n = 0; n < count; ++n) texts.push_back(Take());
    return texts;
  }

 private:
  std::string_view rest_;
};

Result<LaunchStdio> DecodeStdio(std::int32_t word, std::size_t at) {
  if (word == kNullDevice) return LaunchStdio{LaunchStdio::Kind::kNullDevice, {}};
  if (word == kPipe) {
    if (at >= kMostPipes) return SysError{EINVAL, "launch"};
    return LaunchStdio{LaunchStdio::Kind::kPipe, {}};
  }
  if (word < 0) return SysError{EINVAL, "launch"};
  Fd copy(fcntl(word, F_DUPFD_CLOEXEC, 0));
  if (copy.get() == -1) return LastError("fcntl");
  return LaunchStdio{LaunchStdio::Kind::kGiven, std::move(copy)};
}

}  // namespace

Result<LaunchRequest> DecodeLaunch(std::span<const std::int32_t> words, std::string_view strings,
                                   const RootTable& roots) {
  const SysError malformed{EINVAL, "launch"};
  if (words.size() < kHeaderWords) return malformed;
  std::array<std::size_t, kHeaderWords> counts{};
  for (std::size_t n = 0; n < kHeaderWords; ++n) {
    if (words[n] < 0) return malformed;
    counts.at(n) = static_cast<std::size_t>(words[n]);
  }
  const auto [argument_count, variable_count, stdio_count, file_count] = counts;
  const auto text_count =
      static_cast<std::size_t>(std::count(strings.begin(), strings.end(), '\0')) + 1;
  if (argument_count == 0 || text_count != argument_count + variable_count + file_count ||
      words.size() != kHeaderWords + stdio_count + kFileWords * file_count) {
    return malformed;
  }
  Texts texts(strings);
  LaunchRequest request;
  request.arguments = texts.Take(argument_count);
  request.environment = texts.Take(variable_count);
  for (std::size_t at = 0; at < stdio_count; ++at) {
    Result<LaunchStdio> stdio = DecodeStdio(words[kHeaderWords + at], at);
    if (!stdio.ok()) return stdio.error();
    request.stdio.push_back(std::move(*stdio));
  }
  const std::span<const std::int32_t> files = words.subspan(kHeaderWords + stdio_count);
  for (std::size_t at = 0; at < files.size(); at += kFileWords) {
    const auto root = roots.find(files[at]);
    if (root == roots.end()) return SysError{EBADF, "launch"};
    request.files.push_back(LaunchFile{root->second, texts.Take(), files[at + 1] != 0});
  }
  return request;
}

}  // namespace vmcg
