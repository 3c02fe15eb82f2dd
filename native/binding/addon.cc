#include "addon.h"

#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "arguments.h"
#include "descriptors.h"
#include "devices.h"
#include "errno_value.h"

namespace vmcg {
namespace {

/** One of those that take any batch. */
std::optional<Lane::Kind> LaneArgument(const Napi::CallbackInfo& info, std::size_t index) {
  const std::optional<std::int32_t> lane = Int32Argument(info, index);
  const auto last = static_cast<std::int32_t>(Lane::Kind::kFiles);
  const bool is_known = lane && *lane >= 0 && *lane <= last;
  if (!is_known) return std::nullopt;
  return static_cast<Lane::Kind>(*lane);
}

}  // namespace

Addon::Addon(Napi::Env env, Napi::Object exports)
    : port_(std::make_shared<BatchPort>(env, *this)), children_(env) {
  // Enumerable, so that a test can hold the addon's keys against the TypeScript interface.
  DefineAddon(exports, {
                           InstanceMethod<&Addon::OpenRoot>("openRoot", napi_enumerable),
                           InstanceMethod<&Addon::CloseRoot>("closeRoot", napi_enumerable),
                           InstanceMethod<&Addon::SubmitBatch>("submitBatch", napi_enumerable),
                           InstanceMethod<&Addon::CancelBatch>("cancelBatch", napi_enumerable),
                           InstanceMethod<&Addon::OpenForm>("openForm", napi_enumerable),
                           InstanceMethod<&Addon::CloseForm>("closeForm", napi_enumerable),
                           InstanceMethod<&Addon::OpenMeter>("openMeter", napi_enumerable),
                           InstanceMethod<&Addon::CloseMeter>("closeMeter", napi_enumerable),
                           InstanceMethod<&Addon::ReadMeters>("readMeters", napi_enumerable),
                           InstanceMethod<&Addon::Launch>("launch", napi_enumerable),
                           InstanceMethod<&Addon::SignalChild>("signalChild", napi_enumerable),
                           InstanceMethod<&Addon::HoldChild>("holdChild", napi_enumerable),
                       });
  DefineDescriptorFunctions(env, exports);
  DefineDeviceFunctions(env, exports);
  // Hooks run in reverse order: this one before those of the ports' ThreadSafeFunctions, which
  // exist already.
  env.AddCleanupHook([this] { TearDown(); });
}

void Addon::TearDown() {
  children_.TearDown();
  port_->Close();
  for (const auto& [ticket, batch] : pending_) batch.lane->Cancel(*port_, ticket);
  pending_.clear();
}

Napi::Value Addon::OpenRoot(const Napi::CallbackInfo& info) {
  const std::optional<std::string> path = PathArgument(info, 0);
  if (!path) return NegativeErrno(info.Env(), EINVAL);
  Result<Root> root = Root::Open(*path);
  if (!root.ok()) return NegativeErrno(info.Env(), root.error().number);
  const std::int32_t id = next_root_++;
  roots_.emplace(id, std::make_shared<const Root>(std::move(*root)));
  return Napi::Number::New(info.Env(), id);
}

void Addon::CloseRoot(const Napi::CallbackInfo& info) {
  if (const std::optional<std::int32_t> id = Int32Argument(info, 0)) roots_.erase(*id);
}

Napi::Value Addon::SubmitBatch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<Lane::Kind> kind = LaneArgument(info, 0);
  const std::optional<std::span<const std::int32_t>> words = Int32ArrayArgument(info, 1);
  const std::optional<std::string> strings = StringArgument(info, 2);
  const std::optional<std::span<const std::int32_t>> ids = Int32ArrayArgument(info, 3);
  const std::optional<Napi::Function> done = FunctionArgument(info, 4);
  if (!kind || !words || !strings || !ids || !done) return NegativeErrno(env, EINVAL);

  return Enqueue(env, *kind, DecodeBatch(*words, *strings, *ids, roots_), *done);
}

Napi::Value Addon::Enqueue(Napi::Env env, Lane::Kind kind, Result<Batch> batch,
                           Napi::Function done) {
  if (!batch.ok()) return NegativeErrno(env, batch.error().number);
  const Result<Lane*> lane = Lane::Get(kind);
  if (!lane.ok()) return NegativeErrno(env, lane.error().number);

  const std::int64_t ticket = next_ticket_++;
  pending_.emplace(ticket, PendingBatch{Napi::Persistent(done), *lane});
  port_->SetPending(env, true);
  (*lane)->Submit(LaneJob{ticket, std::move(*batch), port_});
  return Napi::Number::New(env, static_cast<double>(ticket));
}

Napi::Value Addon::CancelBatch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<std::int64_t> ticket = Int64Argument(info, 0);
  const auto batch = ticket ? pending_.find(*ticket) : pending_.end();
  const bool is_cancelled =
      batch != pending_.end() && batch->second.lane->Cancel(*port_, batch->first);
  if (is_cancelled) {
    pending_.erase(batch);
    port_->SetPending(env, !pending_.empty());
  }
  return Napi::Boolean::New(env, is_cancelled);
}

Napi::Value Addon::OpenForm(const Napi::CallbackInfo& info) {
  return meters_.OpenForm(info, roots_);
}

void Addon::CloseForm(const Napi::CallbackInfo& info) { meters_.CloseForm(info); }

Napi::Value Addon::OpenMeter(const Napi::CallbackInfo& info) { return meters_.OpenMeter(info); }

void Addon::CloseMeter(const Napi::CallbackInfo& info) { meters_.CloseMeter(info); }

Napi::Value Addon::ReadMeters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<std::span<const std::int32_t>> ids = Int32ArrayArgument(info, 0);
  const std::optional<std::int32_t> groups = Int32Argument(info, 1);
  const std::optional<Napi::Function> done = FunctionArgument(info, 2);
  if (!ids || !groups || !done) return NegativeErrno(env, EINVAL);
  return Enqueue(env, Lane::Kind::kReading, meters_.Reading(*ids, *groups), *done);
}

void Addon::Receive(Napi::Env env, const FinishedBatch& finished) {
  const auto node = pending_.extract(finished.ticket);
  if (node.empty()) return;
  port_->SetPending(env, !pending_.empty());

  const Napi::HandleScope scope(env);
  const std::size_t size = EncodedSize(finished.result);
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, size);
  // Empty where a worker is being terminated.
  if (buffer.IsEmpty() || buffer.Data() == nullptr) return;
  EncodeResult(finished.result, std::span(static_cast<std::byte*>(buffer.Data()), size));

  node.mapped().done.Call({buffer});
  if (env.IsExceptionPending()) {
    // What `done` throws ends as an uncaught exception, as from any other callback of the event
    // loop.
    napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }
}

NODE_API_NAMED_ADDON(vmcg, Addon)

}  // namespace vmcg
