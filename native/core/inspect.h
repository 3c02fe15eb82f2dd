#pragma once

#include <string>
#include <string_view>

#include "result.h"
#include "root.h"

namespace vmcg {

/** What to read of a directory. */
struct Inspection {
  /** The name of an extended attribute; empty: none. */
  std::string_view attribute{};
  /** Names of files in it, joined by `/`; empty: none. */
  std::string_view files{};
};

/**
 * Opens a directory beneath the root once, and reads its attribute and its files, each opened
 * afresh. Appends to `bytes` how many answers there are, the words `errno, length` of each, and
 * then all that was read: of the attribute (ENODATA where it has none, or none was wanted), and of
 * the files in order. An error is one of opening the directory, and EFBIG where there is more to
 * read than fits.
 */
Result<Done> Inspect(const Root& root, const std::string& path, const Inspection& wanted,
                     std::string& bytes);

}  // namespace vmcg
