#include "file_io.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "retry.h"

namespace vmcg {
namespace {

// A page holds nearly every knob, and seq_file fills as much of a larger buffer as one pass can.
constexpr std::size_t kFirstChunk = 4096;
constexpr std::size_t kInt32Digits = 11;

}  // namespace

Result<Done> WriteOnce(const Fd& fd, std::string_view value) {
  const ssize_t written = RetryOnEintr([&] { return write(fd.get(), value.data(), value.size()); });
  if (written == -1) return LastError("write");
  if (static_cast<std::size_t>(written) != value.size()) return SysError{EIO, "write"};
  return Done{};
}

Result<Done> ReadToEnd(const Fd& fd, std::string& bytes) {
  const std::size_t before = bytes.size();
  std::size_t end = before;
  std::size_t chunk = kFirstChunk;
  while (true) {
    bytes.resize(end + chunk);
    const ssize_t got = RetryOnEintr([&] { return read(fd.get(), bytes.data() + end, chunk); });
    if (got <= 0) {
      const SysError error = LastError("read");
      bytes.resize(got == 0 ? end : before);
      if (got == 0) return Done{};
      return error;
    }
    end += static_cast<std::size_t>(got);
    if (end - before > kMaxFileBytes) {
      bytes.resize(before);
      return SysError{EFBIG, "read"};
    }
    chunk = std::max(kFirstChunk, end - before);
  }
}

std::int32_t WriteEachId(const Fd& fd, std::span<const std::int32_t> ids,
                         std::span<std::int32_t> errors) {
  std::int32_t done = 0;
  std::array<char, kInt32Digits> text{};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] <= 0) {
      errors[i] = EINVAL;
      continue;
    }
    const char* const end = std::to_chars(text.begin(), text.end(), ids[i]).ptr;
    const Result<Done> written =
        WriteOnce(fd, std::string_view(text.data(), static_cast<std::size_t>(end - text.data())));
    errors[i] = written.ok() ? 0 : written.error().number;
    if (written.ok()) ++done;
  }
  return done;
}

}  // namespace vmcg
