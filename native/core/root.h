#pragma once

#include <memory>
#include <string>

#include "fd.h"
#include "held_programs.h"
#include "result.h"

namespace vmcg {

/**
 * A directory to look up paths beneath: the mount point of a hierarchy, or /proc.
 *
 * A path is relative, has no `..`, and cannot leave the root through a link (EXDEV) or follow a
 * magic link (ELOOP). On cgroup2 no link is followed at all and no mount point is crossed. Nothing
 * is ever created by opening it.
 */
class Root {
 public:
  /** How the kernel is asked to stay beneath the root. */
  enum class Lookup {
    kOpenat2,
    /** Component by component, following no link at all, for kernels before 5.6 and seccomp filters
       that hide openat2. */
    kStepwise,
  };

  /** Opens the directory at `path` and finds out which lookup works here. */
  static Result<Root> Open(const std::string& path);
  static Result<Root> Open(const std::string& path, Lookup lookup);

  /** Opens `path` (`.` is the root itself) with `flags` and O_CLOEXEC. */
  [[nodiscard]] Result<Fd> OpenBeneath(const std::string& path, int flags) const;

  /** The same from a directory on, which was itself opened beneath the root. */
  [[nodiscard]] Result<Fd> OpenIn(const Fd& directory, const std::string& path, int flags) const;

  [[nodiscard]] Lookup lookup() const { return lookup_; }

  /** They go when the root does. */
  [[nodiscard]] HeldPrograms& held_programs() const { return *held_programs_; }

 private:
  Root(Fd directory, long file_system, Lookup lookup)
      : directory_(std::move(directory)),
        file_system_(file_system),
        lookup_(lookup),
        held_programs_(std::make_unique<HeldPrograms>()) {}

  [[nodiscard]] Result<Fd> OpenByOpenat2(const Fd& start, const std::string& path, int flags) const;
  [[nodiscard]] Result<Fd> OpenStepwise(const Fd& start, const std::string& path, int flags) const;

  Fd directory_;
  long file_system_;
  Lookup lookup_;
  std::unique_ptr<HeldPrograms> held_programs_;
};

}  // namespace vmcg
