#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace spinvm {

inline constexpr int kMaxVcpus = 255;

struct Options {
  int vcpus = 1;
  int max_vcpus = 1;
  std::vector<std::string> iothreads;
  std::string qmp_path;
  std::optional<int> parent;  // the process to end with
  bool start_paused = false;
  bool use_kvm = true;
  bool busy_iothreads = false;
  bool help = false;
};

// The options, or why they cannot be used.
std::variant<Options, std::string> ParseOptions(const std::vector<std::string>& args);

extern const char* const kUsage;

}  // namespace spinvm
