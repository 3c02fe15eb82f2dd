#pragma once

#include "napi_setup.h"

namespace vmcg {

/** How every function of the addon reports a failure; errors are made in TypeScript. 0 stays 0. */
inline Napi::Value NegativeErrno(Napi::Env env, int number) {
  return Napi::Number::New(env, -number);
}

}  // namespace vmcg
