#pragma once

#include <unistd.h>

#include <utility>

namespace vmcg {

/** A descriptor that is closed when its owner goes. Empty is -1. */
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  ~Fd() { Reset(-1); }

  [[nodiscard]] int get() const { return fd_; }

  /** Hands the descriptor over: from here on the caller closes it. */
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }

 private:
  // close(2) is never repeated after EINTR: Linux has freed the descriptor by then, and another
  // thread may own its number already.
  void Reset(int fd) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

  int fd_ = -1;
};

}  // namespace vmcg
