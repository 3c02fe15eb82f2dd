#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "root.h"

namespace vmcg {

/** How the numbers of a file are laid out. The numbers are those of `FigureFormat` in
 * src/engine/native.ts, which says what each format yields. */
enum class FigureFormat : std::int32_t {
  kNumbers = 1,
  kFields = 2,
  kPairs = 3,
  kLineDevices = 4,
  kPairDevices = 5,
  kLineCount = 6,
};

/** A figure that is wanted of a file. */
struct FigureField {
  std::string name;
  /** What an integer is divided by, rounding towards zero: not every count of ns fits a double. */
  std::uint64_t divisor;
};

/** `name`, or `name/divisor`. */
FigureField ParseFigureField(std::string_view text);

/** One file of a cgroup, and what is wanted of it. */
struct FigureFile {
  std::shared_ptr<const Root> root;
  /** Which of a meter's directories it is in. */
  std::size_t directory;
  std::string name;
  FigureFormat format;
  /** A bit for each group of figures that it serves. */
  std::uint32_t groups;
  std::vector<FigureField> fields;

  /** Lists of threads tell a kept descriptor what they told it first, for seconds. */
  [[nodiscard]] bool is_kept() const { return format != FigureFormat::kLineCount; }
};

/** What is read of each of many cgroups that are alike. */
struct FigureForm {
  std::vector<FigureFile> files;
  std::size_t directories;
};

}  // namespace vmcg
