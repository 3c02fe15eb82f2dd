#include "vcpu.h"

#include <utility>

namespace spinvm {

Vcpu::Vcpu(const std::string& thread_name, std::unique_ptr<Guest> guest)
    : guest_(std::move(guest)), thread_(thread_name, [this] { Loop(); }) {}

Vcpu::~Vcpu() { Want(Wanted::kEnded); }

void Vcpu::Pause() { Want(Wanted::kPaused); }

void Vcpu::Resume() { Want(Wanted::kRunning); }

void Vcpu::Want(Wanted wanted) {
  std::unique_lock lock(mutex_);
  wanted_ = wanted;
  if (wanted != Wanted::kRunning) guest_->Kick();
  changed_.notify_all();
  if (wanted != Wanted::kRunning) {
    changed_.wait(lock, [this] { return !executing_; });
  }
}

void Vcpu::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return wanted_ != Wanted::kPaused; });
    if (wanted_ == Wanted::kEnded) return;
    guest_->Rearm();
    executing_ = true;
    lock.unlock();
    const Guest::Exit exit = guest_->Run();
    lock.lock();
    executing_ = false;
    // As a vCPU that met a triple fault: its thread stays and sleeps.
    if (exit == Guest::Exit::kFailed && wanted_ == Wanted::kRunning) wanted_ = Wanted::kPaused;
    changed_.notify_all();
  }
}

}  // namespace spinvm
