#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "../core/batch_codec.h"
#include "../core/lane.h"
#include "batch_port.h"
#include "children.h"
#include "meter_table.h"
#include "napi_setup.h"

namespace vmcg {

/**
 * What one environment (the main thread or a worker) has: its roots and the callbacks it waits for.
 * The functions are those of `NativeAddon` in src/engine/native.ts, which says what each does. All
 * of it runs on the JavaScript thread.
 */
class Addon final : public Napi::Addon<Addon>, public BatchReceiver {
 public:
  Addon(Napi::Env env, Napi::Object exports);

 private:
  struct PendingBatch {
    Napi::FunctionReference done;
    Lane* lane;
  };

  Napi::Value OpenRoot(const Napi::CallbackInfo& info);
  void CloseRoot(const Napi::CallbackInfo& info);
  Napi::Value SubmitBatch(const Napi::CallbackInfo& info);
  Napi::Value CancelBatch(const Napi::CallbackInfo& info);
  Napi::Value Launch(const Napi::CallbackInfo& info);
  Napi::Value SignalChild(const Napi::CallbackInfo& info);
  void HoldChild(const Napi::CallbackInfo& info);
  Napi::Value OpenForm(const Napi::CallbackInfo& info);
  void CloseForm(const Napi::CallbackInfo& info);
  Napi::Value OpenMeter(const Napi::CallbackInfo& info);
  void CloseMeter(const Napi::CallbackInfo& info);
  Napi::Value ReadMeters(const Napi::CallbackInfo& info);

  /** Gives the batch to the lane. → its ticket, or the negative errno */
  Napi::Value Enqueue(Napi::Env env, Lane::Kind kind, Result<Batch> batch, Napi::Function done);

  void Receive(Napi::Env env, const FinishedBatch& finished) override;
  void TearDown();

  RootTable roots_;
  std::int32_t next_root_ = 0;
  MeterTable meters_;
  std::map<std::int64_t, PendingBatch> pending_;
  std::int64_t next_ticket_ = 1;
  std::shared_ptr<BatchPort> port_;
  Children children_;
};

}  // namespace vmcg
