#include "machine.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace spinvm {

Machine::Machine(const Options& options, std::unique_ptr<Accelerator> accelerator)
    : accelerator_(std::move(accelerator)), max_vcpus_(options.max_vcpus) {}

std::optional<std::string> Machine::Start(const Options& options) {
  for (const std::string& id : options.iothreads) {
    iothreads_.push_back(std::make_unique<Iothread>(id, options.busy_iothreads));
  }
  for (int index = 0; index < options.vcpus; ++index) {
    if (auto error = AddVcpu(index, "")) return error;
  }
  if (!options.start_paused) Continue();
  return std::nullopt;
}

std::optional<std::string> Machine::Plug(int core, const std::string& device_id) {
  const auto same = [&device_id](const auto& slot) { return slot.second.device_id == device_id; };
  if (!device_id.empty() && std::any_of(vcpus_.begin(), vcpus_.end(), same)) {
    return "Duplicate device ID '" + device_id + "'";
  }
  const std::string number = std::to_string(core);
  if (core < 0 || core >= max_vcpus_) {
    return "Invalid CPU core-id: " + number +
           " must be in range 0:" + std::to_string(max_vcpus_ - 1);
  }
  if (vcpus_.contains(core)) return "CPU[" + number + "] with APIC ID " + number + " exists";
  return AddVcpu(core, device_id);
}

bool Machine::Stop() {
  if (state_ != RunState::kRunning) return false;
  for (auto& [index, slot] : vcpus_) slot.vcpu->Pause();
  state_ = RunState::kPaused;
  return true;
}

bool Machine::Continue() {
  if (state_ == RunState::kRunning) return false;
  for (auto& [index, slot] : vcpus_) slot.vcpu->Resume();
  state_ = RunState::kRunning;
  return true;
}

std::optional<std::string> Machine::AddVcpu(int index, const std::string& device_id) {
  std::unique_ptr<Guest> guest = accelerator_->MakeGuest(index);
  if (guest == nullptr) return "kvm_init_vcpu failed: " + std::generic_category().message(errno);
  const std::string name = "CPU " + std::to_string(index) + "/" + accelerator_->name();
  auto vcpu = std::make_unique<Vcpu>(name, std::move(guest));
  if (state_ == RunState::kRunning) vcpu->Resume();
  vcpus_.emplace(index, Slot{std::move(vcpu), device_id});
  return std::nullopt;
}

}  // namespace spinvm
