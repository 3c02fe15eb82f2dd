#include "children.h"

#include <signal.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace vmcg {
namespace {

/** The first argument of a report; the numbers are those of `LaunchNews` in src/engine/native.ts.
 */
enum class NewsKind : std::int32_t { kStarted = 0, kFailed = 1, kEnded = 2 };

class ReportArguments {
 public:
  explicit ReportArguments(Napi::Env env) : env_(env) {}

  std::vector<napi_value> operator()(LaunchStarted& started) const {
    std::vector<napi_value> values = Numbers(NewsKind::kStarted, {started.pid});
    // JavaScript closes them from here on.
    for (Fd& pipe : started.pipes) values.push_back(Napi::Number::New(env_, pipe.Release()));
    return values;
  }

  std::vector<napi_value> operator()(LaunchFailed& failed) const {
    std::vector<napi_value> values =
        Numbers(NewsKind::kFailed, {failed.error.number, failed.file, failed.step});
    values.push_back(Napi::String::New(env_, failed.error.syscall));
    return values;
  }

  std::vector<napi_value> operator()(Ending& ending) const {
    return Numbers(NewsKind::kEnded, {ending.code, ending.signal});
  }

 private:
  [[nodiscard]] std::vector<napi_value> Numbers(NewsKind kind,
                                                std::initializer_list<std::int32_t> numbers) const {
    std::vector<napi_value> values{Napi::Number::New(env_, static_cast<std::int32_t>(kind))};
    for (const std::int32_t number : numbers) values.push_back(Napi::Number::New(env_, number));
    return values;
  }

  Napi::Env env_;
};

}  // namespace

Result<std::int64_t> Children::Launch(Napi::Env env, LaunchRequest request, Napi::Function report) {
  const std::int64_t ticket = next_ticket_++;
  Result<std::shared_ptr<Child>> child = vmcg::Launch(std::move(request), ticket, port_);
  if (!child.ok()) return child.error();
  entries_.emplace(ticket, Entry{Napi::Persistent(report), std::move(*child)});
  Update(env);
  return ticket;
}

int Children::Signal(std::int64_t ticket, int number) {
  const auto entry = entries_.find(ticket);
  return entry == entries_.end() ? ESRCH : entry->second.child->Signal(number);
}

void Children::Hold(Napi::Env env, std::int64_t ticket, bool is_held) {
  const auto entry = entries_.find(ticket);
  if (entry == entries_.end()) return;
  entry->second.is_held = is_held;
  Update(env);
}

void Children::TearDown() {
  port_->Close();
  for (const auto& [ticket, entry] : entries_) {
    if (!entry.has_started) entry.child->Signal(SIGKILL);
  }
  entries_.clear();
}

void Children::Receive(Napi::Env env, LaunchNews news) {
  const auto entry = entries_.find(news.ticket);
  if (entry == entries_.end()) return;
  const bool is_last = !std::holds_alternative<LaunchStarted>(news.what);
  entry->second.has_started = true;
  const std::vector<napi_value> arguments = std::visit(ReportArguments(env), news.what);
  const Napi::Function report = entry->second.report.Value();
  if (is_last) entries_.erase(entry);
  Update(env);
  report.Call(arguments);
  if (env.IsExceptionPending()) {
    // What `report` throws ends as an uncaught exception, as from any other callback of the event
    // loop.
    napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }
}

void Children::Update(Napi::Env env) {
  port_->SetAwaiting(env, std::any_of(entries_.begin(), entries_.end(),
                                      [](const auto& known) { return known.second.is_held; }));
}

}  // namespace vmcg
