#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "../core/launch.h"
#include "launch_port.h"
#include "napi_setup.h"

namespace vmcg {

/** The children that one environment has launched. All of it runs on the JavaScript thread. */
class Children final : public LaunchReceiver {
 public:
  explicit Children(Napi::Env env) : port_(std::make_shared<LaunchPort>(env, *this)) {}

  /** @returns the ticket. `report` is called as src/engine/native.ts says. */
  Result<std::int64_t> Launch(Napi::Env env, LaunchRequest request, Napi::Function report);

  /** 0 or an errno: ESRCH for one that has ended, or that nobody knows of. */
  int Signal(std::int64_t ticket, int number);

  /** Whether Node is not to exit before the child does. */
  void Hold(Napi::Env env, std::int64_t ticket, bool is_held);

  /** Kills those that have not started: nobody would hear of them. The others go on. */
  void TearDown();

  void Receive(Napi::Env env, LaunchNews news) override;

 private:
  struct Entry {
    Napi::FunctionReference report;
    std::shared_ptr<Child> child;
    bool is_held = true;
    bool has_started = false;
  };

  void Update(Napi::Env env);

  std::map<std::int64_t, Entry> entries_;
  std::int64_t next_ticket_ = 1;
  std::shared_ptr<LaunchPort> port_;
};

}  // namespace vmcg
