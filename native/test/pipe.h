#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "core/fd.h"

namespace vmcg {

/** A pipe with a name: it keeps what is written to it in the order of the writes. */
class Pipe {
 public:
  explicit Pipe(const std::string& path) {
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    end_ = Fd(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  }

  /** The next write to it waits until somebody reads. */
  void Fill() {
    while (write(end_.get(), buffer_.data(), buffer_.size()) > 0) continue;
  }

  /** What has been written since the last time. */
  std::string Drain() {
    std::string text;
    while (true) {
      const ssize_t count = read(end_.get(), buffer_.data(), buffer_.size());
      if (count <= 0) return text;
      text.append(buffer_.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  Fd end_;
  std::array<char, 4096> buffer_{};
};

/** Whether this process has the file open. */
inline bool HasOpen(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code closed_meanwhile;
    if (std::filesystem::read_symlink(entry, closed_meanwhile) == path) return true;
  }
  return false;
}

}  // namespace vmcg
