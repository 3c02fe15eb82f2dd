#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>

#include "meter.h"

namespace vmcg {

/**
 * How many descriptors the meters of this process keep open, and which give theirs up: those that
 * were read least recently when there are too many, and those that nobody has read for a while.
 */
class KeptFiles {
 public:
  /** The process's own. */
  static KeptFiles& OfProcess();

  KeptFiles() = default;
  KeptFiles(const KeptFiles&) = delete;
  KeptFiles& operator=(const KeptFiles&) = delete;

  /** Not read for so long, a meter gives its descriptors up. */
  static constexpr std::int64_t kIdleMs = 60'000;
  /** Read within this time, it keeps them even where others want to open theirs. */
  static constexpr std::int64_t kFreshMs = 10'000;

  /** A reading begins: sets the limit, and closes what is idle. */
  void Begin(std::size_t limit, std::int64_t now_ms);

  /**
   * Room for one more descriptor of this meter, which may close those of another. False where all
   * of them are fresh: who reads more than the limit in turn would close what is needed next, and
   * keep nothing that is ever read again.
   */
  bool Reserve(Meter& meter);

  /** One of this meter's descriptors was closed. */
  void GiveBack(Meter& meter);

  /** The meter is being read. */
  void Touch(Meter& meter);

  /** The meter goes, and its descriptors with it. */
  void Forget(Meter& meter);

  /** Closes all: somebody else in this process needs descriptors. */
  void CloseAll();

  [[nodiscard]] std::size_t limit() const;
  [[nodiscard]] std::size_t open_count() const;

 private:
  void Close(Meter& meter);

  mutable std::mutex mutex_;
  /** Those with open files, the latest read first. */
  std::list<Meter*> meters_;
  std::size_t limit_ = 0;
  std::size_t open_count_ = 0;
  std::int64_t now_ms_ = 0;
};

/**
 * How many descriptors are kept at most: half of those that this process may have open, and no more
 * than 32768, because each holds a page of the kernel's.
 */
std::size_t KeptFilesLimit();

}  // namespace vmcg
