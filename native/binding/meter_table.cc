#include "meter_table.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "../core/kept_files.h"
#include "arguments.h"
#include "errno_value.h"

namespace vmcg {
namespace {

constexpr std::size_t kFileWords = 5;
constexpr SysError kMalformed{EINVAL, "openForm"};

std::vector<std::string> SplitAtNul(std::string_view joined) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = joined.find('\0');
    parts.emplace_back(joined.substr(0, end));
    if (end == std::string_view::npos) return parts;
    joined.remove_prefix(end + 1);
  }
}

bool IsFormat(std::int32_t format) {
  return format >= static_cast<std::int32_t>(FigureFormat::kNumbers) &&
         format <= static_cast<std::int32_t>(FigureFormat::kLineCount);
}

/** As src/engine/native.ts has it: words for each file, and its name and fields, in order. */
Result<FigureForm> DecodeForm(std::span<const std::int32_t> words,
                              const std::vector<std::string>& strings, const RootTable& roots) {
  if (words.size() % kFileWords != 0) return kMalformed;
  FigureForm form{.files = {}, .directories = 0};
  std::size_t next = 0;
  for (; !words.empty(); words = words.subspan(kFileWords)) {
    std::array<std::int32_t, kFileWords> word{};
    std::copy_n(words.begin(), kFileWords, word.begin());
    const auto [root_id, directory, format, groups, field_count] = word;
    const auto root = roots.find(root_id);
    if (root == roots.end()) return SysError{EBADF, "openForm"};
    const bool fits = directory >= 0 && IsFormat(format) && field_count >= 0 &&
                      next + 1 + static_cast<std::size_t>(field_count) <= strings.size();
    if (!fits) return kMalformed;
    FigureFile file{.root = root->second,
                    .directory = static_cast<std::size_t>(directory),
                    .name = strings[next],
                    .format = static_cast<FigureFormat>(format),
                    .groups = static_cast<std::uint32_t>(groups),
                    .fields = {}};
    ++next;
    for (std::int32_t field = 0; field < field_count; ++field, ++next) {
      file.fields.push_back(ParseFigureField(strings[next]));
    }
    form.directories = std::max(form.directories, file.directory + 1);
    form.files.push_back(std::move(file));
  }
  return form;
}

}  // namespace

Napi::Value MeterTable::OpenForm(const Napi::CallbackInfo& info, const RootTable& roots) {
  const std::optional<std::span<const std::int32_t>> words = Int32ArrayArgument(info, 0);
  const std::optional<std::string> strings = StringArgument(info, 1);
  if (!words || !strings) return NegativeErrno(info.Env(), EINVAL);
  Result<FigureForm> form = DecodeForm(*words, SplitAtNul(*strings), roots);
  if (!form.ok()) return NegativeErrno(info.Env(), form.error().number);
  const std::int32_t id = next_form_++;
  forms_.emplace(id, std::make_shared<const FigureForm>(std::move(*form)));
  return Napi::Number::New(info.Env(), id);
}

void MeterTable::CloseForm(const Napi::CallbackInfo& info) {
  if (const std::optional<std::int32_t> id = Int32Argument(info, 0)) forms_.erase(*id);
}

Napi::Value MeterTable::OpenMeter(const Napi::CallbackInfo& info) {
  const std::optional<std::int32_t> form_id = Int32Argument(info, 0);
  const std::optional<std::string> joined = StringArgument(info, 1);
  if (!form_id || !joined) return NegativeErrno(info.Env(), EINVAL);
  const auto form = forms_.find(*form_id);
  if (form == forms_.end()) return NegativeErrno(info.Env(), EBADF);
  std::vector<std::string> directories = SplitAtNul(*joined);
  if (directories.size() < form->second->directories) return NegativeErrno(info.Env(), EINVAL);
  const std::int32_t id = next_meter_++;
  meters_.emplace(
      id, std::make_shared<Meter>(form->second, std::move(directories), KeptFiles::OfProcess()));
  return Napi::Number::New(info.Env(), id);
}

void MeterTable::CloseMeter(const Napi::CallbackInfo& info) {
  if (const std::optional<std::int32_t> id = Int32Argument(info, 0)) meters_.erase(*id);
}

Result<Batch> MeterTable::Reading(std::span<const std::int32_t> ids, std::int32_t groups) const {
  Batch batch;
  batch.meters.reserve(ids.size());
  for (const std::int32_t id : ids) {
    const auto meter = meters_.find(id);
    if (meter == meters_.end()) return SysError{EBADF, "readMeters"};
    batch.meters.push_back(meter->second);
  }
  batch.operations.push_back(Operation{.code = OpCode::kReadMeters,
                                       .optional = false,
                                       .group = 0,
                                       .root = nullptr,
                                       .path = -1,
                                       .value = -1,
                                       .arg = groups,
                                       .ids_start = 0,
                                       .ids_count = 0});
  return batch;
}

}  // namespace vmcg
