#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fd.h"
#include "figure_form.h"
#include "result.h"

namespace vmcg {

class KeptFiles;

/**
 * The files of one form in the directories of one sandbox, opened when they are first read and kept
 * open between readings: a pread(2) costs a tenth of open, read and close.
 *
 * Read by one thread at a time, that of the lane for reading; may go on any thread.
 */
class Meter {
 public:
  /** `directories` are beneath the roots of the form, which has so many of them. */
  Meter(std::shared_ptr<const FigureForm> form, std::vector<std::string> directories,
        KeptFiles& kept);
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;
  ~Meter();

  /**
   * Appends for each file that serves one of `groups`, in the order of the form, its errno and,
   * where that is 0, its figures. `buffer` is memory to read into that grows as it must.
   */
  void Read(std::uint32_t groups, std::vector<double>& figures, std::string& buffer);

 private:
  friend class KeptFiles;

  struct File {
    Fd fd;
    /** The kernel has no such file here. Asked again every so often. */
    bool is_absent = false;
  };

  [[nodiscard]] std::string PathOf(const FigureFile& file) const;
  Result<std::string_view> ReadFile(const FigureFile& wanted, File& file, std::string& buffer);
  Result<std::string_view> ReadKept(const FigureFile& wanted, File& file, std::string& buffer);
  Result<Fd> Open(const FigureFile& wanted);

  std::shared_ptr<const FigureForm> form_;
  std::vector<std::string> directories_;
  KeptFiles& kept_;
  /** In the order of the form. */
  std::vector<File> files_;
  std::uint32_t readings_ = 0;

  // Of KeptFiles, under its mutex.
  std::size_t open_count_ = 0;
  std::optional<std::list<Meter*>::iterator> place_;
  std::int64_t last_used_ms_ = 0;
};

}  // namespace vmcg
