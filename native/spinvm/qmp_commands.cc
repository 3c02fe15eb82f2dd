#include "qmp_commands.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "qmp_device_add.h"

namespace spinvm {
namespace {

// The dialect that is spoken here is QEMU 7.2's.
constexpr int kMajor = 7;
constexpr int kMinor = 2;

#if defined(__x86_64__)
constexpr const char* kTarget = "x86_64";
#elif defined(__aarch64__)
constexpr const char* kTarget = "aarch64";
#else
constexpr const char* kTarget = "none";
#endif

JsonObject Topology(int index) { return {{"core-id", index}, {"thread-id", 0}, {"socket-id", 0}}; }

std::string QomPath(int index, const Machine::Slot& slot) {
  return slot.device_id.empty() ? "/machine/unattached/device[" + std::to_string(index) + "]"
                                : "/machine/peripheral/" + slot.device_id;
}

QmpAnswer QueryCpusFast(const Json& /*arguments*/, QmpContext& context) {
  JsonArray cpus;
  for (const auto& [index, slot] : context.machine.vcpus()) {
    cpus.emplace_back(JsonObject{{"thread-id", slot.vcpu->tid()},
                                 {"props", Topology(index)},
                                 {"qom-path", QomPath(index, slot)},
                                 {"cpu-index", index},
                                 {"target", kTarget}});
  }
  return Json(std::move(cpus));
}

// The free cores have no `qom-path`; the highest core comes first, as in QEMU.
QmpAnswer QueryHotpluggableCpus(const Json& /*arguments*/, QmpContext& context) {
  JsonArray slots;
  for (int index = context.machine.max_vcpus() - 1; index >= 0; --index) {
    JsonObject entry{{"props", Topology(index)}, {"vcpus-count", 1}, {"type", kCpuDriver}};
    const auto plugged = context.machine.vcpus().find(index);
    if (plugged != context.machine.vcpus().end()) {
      entry.emplace_back("qom-path", QomPath(index, plugged->second));
    }
    slots.emplace_back(std::move(entry));
  }
  return Json(std::move(slots));
}

QmpAnswer QueryIothreads(const Json& /*arguments*/, QmpContext& context) {
  JsonArray iothreads;
  for (const auto& iothread : context.machine.iothreads()) {
    iothreads.emplace_back(JsonObject{{"id", iothread->id()},
                                      {"thread-id", iothread->tid()},
                                      {"poll-max-ns", 0},
                                      {"poll-grow", 0},
                                      {"poll-shrink", 0},
                                      {"aio-max-batch", 0}});
  }
  return Json(std::move(iothreads));
}

const char* StateName(RunState state) {
  switch (state) {
    case RunState::kPrelaunch:
      return "prelaunch";
    case RunState::kRunning:
      return "running";
    case RunState::kPaused:
      return "paused";
  }
  return "internal-error";
}

QmpAnswer QueryStatus(const Json& /*arguments*/, QmpContext& context) {
  const RunState state = context.machine.state();
  return Json(JsonObject{{"status", StateName(state)},
                         {"singlestep", false},
                         {"running", state == RunState::kRunning}});
}

QmpAnswer QueryKvm(const Json& /*arguments*/, QmpContext& context) {
  return Json(JsonObject{{"enabled", context.machine.uses_kvm()}, {"present", true}});
}

QmpAnswer QueryName(const Json& /*arguments*/, QmpContext& /*context*/) {
  return Json(JsonObject{});
}

QmpAnswer QueryVersion(const Json& /*arguments*/, QmpContext& /*context*/) { return QmpVersion(); }

QmpAnswer Stop(const Json& /*arguments*/, QmpContext& context) {
  if (context.machine.Stop()) context.emit("STOP", {});
  return Json(JsonObject{});
}

QmpAnswer Continue(const Json& /*arguments*/, QmpContext& context) {
  if (context.machine.Continue()) context.emit("RESUME", {});
  return Json(JsonObject{});
}

QmpAnswer Quit(const Json& /*arguments*/, QmpContext& context) {
  context.emit("SHUTDOWN", {{"guest", false}, {"reason", "host-qmp-quit"}});
  context.quit();
  return Json(JsonObject{});
}

QmpAnswer Renegotiate(const Json& /*arguments*/, QmpContext& /*context*/) {
  return QmpFailure{"CommandNotFound",
                    "Capabilities negotiation is already complete, command ignored"};
}

struct Command {
  std::string_view name;
  bool takes_arguments;
  QmpAnswer (*execute)(const Json& arguments, QmpContext& context);
};

constexpr Command kCommands[] = {
    {"cont", false, Continue},
    {"device_add", true, DeviceAdd},
    {"qmp_capabilities", true, Renegotiate},
    {"query-cpus-fast", false, QueryCpusFast},
    {"query-hotpluggable-cpus", false, QueryHotpluggableCpus},
    {"query-iothreads", false, QueryIothreads},
    {"query-kvm", false, QueryKvm},
    {"query-name", false, QueryName},
    {"query-status", false, QueryStatus},
    {"query-version", false, QueryVersion},
    {"quit", false, Quit},
    {"stop", false, Stop},
};

}  // namespace

Json QmpVersion() {
  return JsonObject{{"qemu", JsonObject{{"micro", 0}, {"minor", kMinor}, {"major", kMajor}}},
                    {"package", "vmcg-spinvm"}};
}

QmpAnswer ExecuteQmp(const std::string& command, const Json& arguments, QmpContext& context) {
  const auto* found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                   [&command](const Command& c) { return c.name == command; });
  if (found == std::end(kCommands)) {
    return QmpFailure{"CommandNotFound", "The command " + command + " has not been found"};
  }
  const JsonObject* given = arguments.AsObject();
  if (!found->takes_arguments && given != nullptr && !given->empty()) {
    return GenericError("Parameter '" + given->front().first + "' is unexpected");
  }
  return found->execute(arguments, context);
}

}  // namespace spinvm
