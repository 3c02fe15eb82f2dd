#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "fd.h"
#include "result.h"

namespace vmcg {

/**
 * The programs that were attached beneath a root, by the cgroup that they are attached to. Who
 * holds a program's descriptor may ask about it and replace it without CAP_SYS_ADMIN, which getting
 * one by its id needs. Both lanes can be at it at once.
 */
class HeldPrograms {
 public:
  /** A descriptor of its own for the program; ENOENT when it is not this one that is held for the
   * cgroup. */
  [[nodiscard]] Result<Fd> Find(const std::string& cgroup, std::uint32_t id) const;

  /** Takes the place of what was held for the cgroup before. */
  void Hold(const std::string& cgroup, std::uint32_t id, Fd program);

  void Drop(const std::string& cgroup, std::uint32_t id);

  /** For a cgroup that is no more: what was held for it would stay loaded for nobody. */
  void DropAll(const std::string& cgroup);

 private:
  struct Held {
    std::uint32_t id;
    Fd program;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Held> by_cgroup_;
};

}  // namespace vmcg
