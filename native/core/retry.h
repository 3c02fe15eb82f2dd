#pragma once

#include <cerrno>

namespace vmcg {

/** Calls again for as long as a signal handler cut the call short. */
template <typename Call>
auto RetryOnEintr(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace vmcg
