// vmcg-spinvm: a VM that does nothing but keep its vCPUs busy. It stands in for QEMU where there is
// none, with the same thread names and as much QMP as is needed to find and to hot-plug vCPUs.

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fd.h"
#include "machine.h"
#include "options.h"
#include "qmp_server.h"

namespace spinvm {
namespace {

// The signals that end this process. All threads have them blocked: they are read from a
// descriptor.
Fd BlockEndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&signals, signal);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return {};
  return Fd(signalfd(-1, &signals, SFD_CLOEXEC));
}

// SIGUSR1 only interrupts KVM_RUN.
void InstallKickHandler() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
}

// False when the parent is gone already: the kernel tells only what happens after the call. Its id
// must come from itself: asked here, getppid() may already name the process that took its place.
bool FollowParent(pid_t parent) {
  return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

std::unique_ptr<Accelerator> ChooseAccelerator(bool use_kvm) {
  std::unique_ptr<Accelerator> kvm = use_kvm ? MakeKvmAccelerator() : nullptr;
  return kvm ? std::move(kvm) : MakeHostAccelerator();
}

int Fail(const std::string& reason) {
  std::fprintf(stderr, "vmcg-spinvm: %s\n", reason.c_str());
  return 1;
}

// Serves until a signal comes or a client says quit.
void Serve(QmpServer* server, const Fd& signals) {
  for (;;) {
    pollfd fds[] = {{signals.get(), POLLIN, 0}, {-1, 0, 0}};
    if (server != nullptr) fds[1] = {server->fd(), server->events(), 0};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[0].revents != 0) {
      if (server != nullptr) {
        server->Emit("SHUTDOWN", {{"guest", false}, {"reason", "host-signal"}});
      }
      return;
    }
    if (fds[1].revents != 0 && !server->Handle()) return;
  }
}

int Run(const Options& options) {
  const Fd signals = BlockEndingSignals();
  if (!signals.valid()) return Fail("cannot take signals from a descriptor");
  InstallKickHandler();
  if (options.parent && !FollowParent(*options.parent)) return Fail("the parent has ended");

  Machine machine(options, ChooseAccelerator(options.use_kvm));
  if (auto reason = machine.Start(options)) return Fail(*reason);
  std::unique_ptr<QmpServer> server;
  if (!options.qmp_path.empty()) {
    auto listening = QmpServer::Listen(options.qmp_path, machine);
    if (const auto* reason = std::get_if<std::string>(&listening)) return Fail(*reason);
    server = std::get<std::unique_ptr<QmpServer>>(std::move(listening));
  }
  Serve(server.get(), signals);
  return 0;
}

}  // namespace
}  // namespace spinvm

int main(int argc, char** argv) {
  const auto parsed = spinvm::ParseOptions({argv + 1, argv + argc});
  if (const auto* reason = std::get_if<std::string>(&parsed)) return spinvm::Fail(*reason);
  const auto& options = std::get<spinvm::Options>(parsed);
  if (options.help) {
    std::fputs(spinvm::kUsage, stdout);
    return 0;
  }
  return spinvm::Run(options);
}
