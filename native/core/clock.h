#pragma once

#include <time.h>

#include <cstdint>

namespace vmcg {

/** Since some moment in the past, never set back. */
inline std::int64_t NowMicroseconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace vmcg
