#pragma once

#include <cerrno>
#include <utility>
#include <variant>

namespace vmcg {

/** What the kernel refused. `syscall` is a string literal, as errors show it. */
struct SysError {
  int number;
  const char* syscall;
};

/** The error of the system call that has just failed. */
inline SysError LastError(const char* syscall) { return SysError{errno, syscall}; }

/** A value or the error that came instead of it; std::expected is C++23. */
template <typename T>
class [[nodiscard]] Result {
 public:
  // Not explicit, so that a function returns either by its own name.
  Result(T value)  // NOLINT(google-explicit-constructor)
      : either_(std::in_place_index<0>, std::move(value)) {}
  Result(SysError error)  // NOLINT(google-explicit-constructor)
      : either_(std::in_place_index<1>, error) {}

  [[nodiscard]] bool ok() const { return either_.index() == 0; }
  T& operator*() { return *std::get_if<0>(&either_); }
  const T& operator*() const { return *std::get_if<0>(&either_); }
  T* operator->() { return std::get_if<0>(&either_); }
  const T* operator->() const { return std::get_if<0>(&either_); }
  [[nodiscard]] const SysError& error() const { return *std::get_if<1>(&either_); }

 private:
  std::variant<T, SysError> either_;
};

/** Success of something that has no value to give. */
using Done = std::monostate;

}  // namespace vmcg
