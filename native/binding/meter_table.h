#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "../core/batch_codec.h"
#include "../core/meter.h"
#include "napi_setup.h"

namespace vmcg {

/** The forms and meters of one environment, by the ids that JavaScript knows them by. */
class MeterTable {
 public:
  Napi::Value OpenForm(const Napi::CallbackInfo& info, const RootTable& roots);
  void CloseForm(const Napi::CallbackInfo& info);
  Napi::Value OpenMeter(const Napi::CallbackInfo& info);
  void CloseMeter(const Napi::CallbackInfo& info);

  /** The batch that reads these meters; EBADF for an unknown one. */
  [[nodiscard]] Result<Batch> Reading(std::span<const std::int32_t> ids, std::int32_t groups) const;

 private:
  std::map<std::int32_t, std::shared_ptr<const FigureForm>> forms_;
  std::int32_t next_form_ = 0;
  std::map<std::int32_t, std::shared_ptr<Meter>> meters_;
  std::int32_t next_meter_ = 0;
};

}  // namespace vmcg
