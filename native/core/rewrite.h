#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "clock.h"
#include "replacement.h"
#include "result.h"

namespace vmcg {

/** A replacement on its way through a batch: the first step that fails ends it. */
class Rewrite {
 public:
  /** @param at which operation of the batch it is. */
  explicit Rewrite(std::size_t at) : at_(at) {}

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] const Result<Done>& ended() const { return ended_; }
  /** Of all its steps. */
  [[nodiscard]] std::int64_t microseconds() const { return microseconds_; }

  template <typename Write>
  void Begin(Write write) {
    const std::int64_t start = NowMicroseconds();
    Result<Replacement> written = write();
    if (written.ok()) {
      file_.emplace(std::move(*written));
    } else {
      ended_ = written.error();
    }
    microseconds_ += NowMicroseconds() - start;
  }

  /** Nothing where it has ended, or was not begun. */
  void Do(Result<Done> (Replacement::*step)()) {
    if (!file_) return;
    const std::int64_t start = NowMicroseconds();
    ended_ = ((*file_).*step)();
    if (!ended_.ok()) file_.reset();
    microseconds_ += NowMicroseconds() - start;
  }

 private:
  std::size_t at_;
  std::optional<Replacement> file_;
  Result<Done> ended_ = Done{};
  std::int64_t microseconds_ = 0;
};

}  // namespace vmcg
