#include "options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

namespace spinvm {

const char* const kUsage =
    R"(vmcg-spinvm: a VM that does nothing but keep its vCPUs busy, for demonstrations and tests

  --smp N[,maxcpus=M]   vCPUs at the start, and how many there can be (default 1)
  --iothread ID         an I/O thread; may be given several times
  --busy-iothread       the I/O threads spin instead of sleeping
  --qmp PATH            a QMP server on a unix socket, for one client at a time
  -S                    do not start the vCPUs before `cont`
  --no-kvm              spin on the host even where /dev/kvm opens
  --die-with-parent PID end when process PID ends, which has started this one
  --help                this text
)";

namespace {

std::optional<int> ParseNumber(std::string_view text, int most) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < 1 || number > most) return std::nullopt;
  return number;
}

bool ParseSmp(std::string_view text, Options& options) {
  static constexpr std::string_view kSeparator = ",maxcpus=";
  const size_t at = text.find(kSeparator);
  const std::optional<int> vcpus = ParseNumber(text.substr(0, at), kMaxVcpus);
  const std::optional<int> most = at == std::string_view::npos
                                      ? vcpus
                                      : ParseNumber(text.substr(at + kSeparator.size()), kMaxVcpus);
  if (!vcpus || !most || *most < *vcpus) return false;
  options.vcpus = *vcpus;
  options.max_vcpus = *most;
  return true;
}

bool IsFlag(std::string_view name, Options& options) {
  const std::pair<std::string_view, bool*> flags[] = {
      {"-S", &options.start_paused},
      {"--busy-iothread", &options.busy_iothreads},
      {"--help", &options.help},
  };
  const auto* flag = std::find_if(std::begin(flags), std::end(flags),
                                  [name](const auto& entry) { return entry.first == name; });
  if (flag == std::end(flags)) return false;
  *flag->second = true;
  return true;
}

// Takes the value of an option. The reason when it cannot be used; nothing when it can.
std::optional<std::string> TakeValue(std::string_view name, const std::string& value,
                                     Options& options) {
  if (name == "--iothread") options.iothreads.push_back(value);
  if (name == "--qmp") options.qmp_path = value;
  if (name == "--smp" && !ParseSmp(value, options)) {
    return "--smp takes N or N,maxcpus=M with 1 <= N <= M <= " + std::to_string(kMaxVcpus);
  }
  if (name == "--die-with-parent") {
    options.parent = ParseNumber(value, std::numeric_limits<int>::max());
    if (!options.parent) return "--die-with-parent takes a process id, not " + value;
  }
  return std::nullopt;
}

bool TakesValue(std::string_view name) {
  const std::string_view names[] = {"--smp", "--iothread", "--qmp", "--die-with-parent"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

std::variant<Options, std::string> ParseOptions(const std::vector<std::string>& args) {
  Options options;
  for (auto arg = args.begin(); arg != args.end(); ++arg) {
    if (*arg == "--no-kvm") {
      options.use_kvm = false;
    } else if (!IsFlag(*arg, options)) {
      const std::string& name = *arg;
      if (!TakesValue(name)) return "unknown option " + name;
      if (++arg == args.end()) return name + " needs a value";
      if (auto reason = TakeValue(name, *arg, options)) return *reason;
    }
  }
  return options;
}

}  // namespace spinvm
