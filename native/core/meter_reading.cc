#include "meter_reading.h"

#include <time.h>

#include <vector>

#include "kept_files.h"

namespace vmcg {
namespace {

std::int64_t NowMs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

}  // namespace

Result<Done> ReadMeters(std::span<const std::shared_ptr<Meter>> meters, std::uint32_t groups,
                        std::string& bytes) {
  KeptFiles& kept = KeptFiles::OfProcess();
  kept.Begin(KeptFilesLimit(), NowMs());
  std::vector<double> figures{static_cast<double>(kept.limit())};
  std::string buffer;
  for (const std::shared_ptr<Meter>& meter : meters) meter->Read(groups, figures, buffer);
  const auto* const start = reinterpret_cast<const char*>(figures.data());
  bytes.append(start, figures.size() * sizeof(double));
  return Done{};
}

}  // namespace vmcg
