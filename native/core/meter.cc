#include "meter.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "figure_parse.h"
#include "file_io.h"
#include "kept_files.h"
#include "retry.h"

namespace vmcg {
namespace {

// Larger than nearly every file: what fits is known to be whole after one pread(2).
constexpr std::size_t kFirstBuffer = 16384;

// A controller that is enabled later brings files that were not there before.
constexpr std::uint32_t kReadingsBetweenLooks = 16;

/**
 * All of a file that the kernel writes in one piece, as it does each file of figures: where it
 * fills the buffer the whole is read anew, so that no two moments are mixed.
 */
Result<std::string_view> ReadWhole(const Fd& fd, std::string& buffer) {
  if (buffer.size() < kFirstBuffer) buffer.resize(kFirstBuffer);
  while (true) {
    const ssize_t got =
        RetryOnEintr([&] { return pread(fd.get(), buffer.data(), buffer.size(), 0); });
    if (got == -1) return LastError("pread");
    if (static_cast<std::size_t>(got) < buffer.size()) {
      return std::string_view(buffer.data(), static_cast<std::size_t>(got));
    }
    if (buffer.size() >= kMaxFileBytes) return SysError{EFBIG, "pread"};
    buffer.resize(buffer.size() * 2);
  }
}

bool IsRemoved(const Result<std::string_view>& text) {
  return !text.ok() && text.error().number == ENODEV;
}

bool IsOutOfDescriptors(const SysError& error) {
  return error.number == EMFILE || error.number == ENFILE;
}

}  // namespace

Meter::Meter(std::shared_ptr<const FigureForm> form, std::vector<std::string> directories,
             KeptFiles& kept)
    : form_(std::move(form)),
      directories_(std::move(directories)),
      kept_(kept),
      files_(form_->files.size()) {}

Meter::~Meter() { kept_.Forget(*this); }

void Meter::Read(std::uint32_t groups, std::vector<double>& figures, std::string& buffer) {
  kept_.Touch(*this);
  ++readings_;
  for (std::size_t at = 0; at < files_.size(); ++at) {
    const FigureFile& wanted = form_->files[at];
    if ((wanted.groups & groups) == 0) continue;
    const Result<std::string_view> text = ReadFile(wanted, files_[at], buffer);
    figures.push_back(text.ok() ? 0 : text.error().number);
    if (text.ok()) ParseFigures(wanted.format, wanted.fields, *text, figures);
  }
}

std::string Meter::PathOf(const FigureFile& file) const {
  const std::string& directory = directories_[file.directory];
  std::string path;
  path.reserve(directory.size() + 1 + file.name.size());
  return path.append(directory).append("/").append(file.name);
}

Result<std::string_view> Meter::ReadFile(const FigureFile& wanted, File& file,
                                         std::string& buffer) {
  if (wanted.is_kept()) return ReadKept(wanted, file, buffer);
  const Result<Fd> opened = Open(wanted);
  if (!opened.ok()) return opened.error();
  buffer.clear();
  const Result<Done> read = ReadToEnd(*opened, buffer);
  if (!read.ok()) return read.error();
  return std::string_view{buffer};
}

Result<std::string_view> Meter::ReadKept(const FigureFile& wanted, File& file,
                                         std::string& buffer) {
  if (file.is_absent && readings_ % kReadingsBetweenLooks != 0) return SysError{ENOENT, "openat2"};
  if (file.fd.get() >= 0) {
    Result<std::string_view> text = ReadWhole(file.fd, buffer);
    // ENODEV: the cgroup was removed. One of the same name may have been made since.
    if (!IsRemoved(text)) return text;
    file.fd = Fd();
    kept_.GiveBack(*this);
  }
  Result<Fd> opened = Open(wanted);
  file.is_absent = !opened.ok() && opened.error().number == ENOENT;
  if (!opened.ok()) return opened.error();
  Result<std::string_view> text = ReadWhole(*opened, buffer);
  if (!IsRemoved(text) && kept_.Reserve(*this)) file.fd = std::move(*opened);
  return text;
}

Result<Fd> Meter::Open(const FigureFile& wanted) {
  const std::string path = PathOf(wanted);
  Result<Fd> opened = wanted.root->OpenBeneath(path, O_RDONLY);
  if (opened.ok() || !IsOutOfDescriptors(opened.error())) return opened;
  kept_.CloseAll();
  return wanted.root->OpenBeneath(path, O_RDONLY);
}

}  // namespace vmcg
