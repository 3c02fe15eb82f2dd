#pragma once

#include <functional>
#include <string_view>

#include "fd.h"
#include "result.h"

namespace vmcg {

/** Calls `visit` with the name of each directory in `directory` (a descriptor for reading), but `.`
 * and `..`. */
Result<Done> ForEachSubdirectory(const Fd& directory,
                                 const std::function<void(const char* name)>& visit);

}  // namespace vmcg
