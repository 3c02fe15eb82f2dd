#pragma once

#include <string>
#include <utility>

#include "entry.h"
#include "fd.h"
#include "result.h"
#include "root.h"

namespace vmcg {

/**
 * A file that is replaced as a whole, so that a reader, and whoever comes after a crash, finds the
 * old one or the new one. In three steps, for many to take each step together: a file system with a
 * journal then commits it once for all that were written before the first is synced.
 *
 * Until it is renamed, the old file stays as it is, and the temporary one goes with this object.
 */
class Replacement {
 public:
  /**
   * Writes `text` to a temporary file (0600) beside `path`, named `temporary`. What is there under
   * that name, such as what a crash has left, is removed and not taken up, since its mode may be
   * another or it may be a link. EINVAL for a `temporary` that is no name.
   */
  static Result<Replacement> Write(const Root& root, const std::string& path,
                                   const std::string& temporary, const std::string& text);

  Replacement(Replacement&&) noexcept = default;
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  Replacement& operator=(Replacement&&) = delete;
  ~Replacement();

  Result<Done> Sync();

  /** Puts it in the place of `path`, also of a link, which is not followed. */
  Result<Done> Rename();

 private:
  Replacement(Entry place, std::string temporary, Fd file)
      : place_(std::move(place)), temporary_(std::move(temporary)), file_(std::move(file)) {}

  /** Its directory is closed once there is no temporary file to remove. */
  Entry place_;
  std::string temporary_;
  Fd file_;
};

}  // namespace vmcg
