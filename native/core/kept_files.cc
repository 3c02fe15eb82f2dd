#include "kept_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace vmcg {
namespace {

constexpr std::size_t kMostKept = 32768;

}  // namespace

KeptFiles& KeptFiles::OfProcess() {
  // Never destroyed: the lane's thread may still be reading while exit(3) runs.
  static auto* const kept = new KeptFiles();
  return *kept;
}

void KeptFiles::Begin(std::size_t limit, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  limit_ = limit;
  now_ms_ = now_ms;
  while (!meters_.empty() && now_ms - meters_.back()->last_used_ms_ >= kIdleMs) {
    Close(*meters_.back());
  }
}

bool KeptFiles::Reserve(Meter& meter) {
  const std::lock_guard lock(mutex_);
  while (open_count_ >= limit_) {
    if (meters_.empty() || now_ms_ - meters_.back()->last_used_ms_ < kFreshMs) return false;
    Close(*meters_.back());
  }
  if (!meter.place_) meter.place_ = meters_.insert(meters_.begin(), &meter);
  ++meter.open_count_;
  ++open_count_;
  return true;
}

void KeptFiles::GiveBack(Meter& meter) {
  const std::lock_guard lock(mutex_);
  --meter.open_count_;
  --open_count_;
}

void KeptFiles::Touch(Meter& meter) {
  const std::lock_guard lock(mutex_);
  meter.last_used_ms_ = now_ms_;
  if (meter.place_) meters_.splice(meters_.begin(), meters_, *meter.place_);
}

void KeptFiles::Forget(Meter& meter) {
  const std::lock_guard lock(mutex_);
  if (meter.place_) Close(meter);
}

void KeptFiles::CloseAll() {
  const std::lock_guard lock(mutex_);
  while (!meters_.empty()) Close(*meters_.back());
}

std::size_t KeptFiles::limit() const {
  const std::lock_guard lock(mutex_);
  return limit_;
}

std::size_t KeptFiles::open_count() const {
  const std::lock_guard lock(mutex_);
  return open_count_;
}

void KeptFiles::Close(Meter& meter) {
  for (Meter::File& file : meter.files_) file = {};
  open_count_ -= meter.open_count_;
  meter.open_count_ = 0;
  meters_.erase(*meter.place_);
  meter.place_.reset();
}

std::size_t KeptFilesLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur / 2, kMostKept));
}

}  // namespace vmcg
