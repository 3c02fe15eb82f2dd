#include "descriptors.h"

#include <unistd.h>

#include <cerrno>

#include "../core/file_lock.h"
#include "../core/unix_socket.h"
#include "arguments.h"
#include "errno_value.h"

namespace vmcg {
namespace {

/** The descriptor, which JavaScript closes from here on, or the negative errno. */
Napi::Value HandOver(Napi::Env env, Result<Fd> opened) {
  if (!opened.ok()) return NegativeErrno(env, opened.error().number);
  return Napi::Number::New(env, opened->Release());
}

Napi::Value LockFileFunction(const Napi::CallbackInfo& info) {
  const std::optional<std::string> path = PathArgument(info, 0);
  const std::optional<std::string> holder = StringArgument(info, 1);
  if (!path || !holder) return NegativeErrno(info.Env(), EINVAL);
  return HandOver(info.Env(), LockFile(*path, *holder));
}

Napi::Value ConnectUnixFunction(const Napi::CallbackInfo& info) {
  const std::optional<std::string> path = PathArgument(info, 0);
  if (!path) return NegativeErrno(info.Env(), EINVAL);
  return HandOver(info.Env(), ConnectUnix(*path));
}

Napi::Value ListenUnixFunction(const Napi::CallbackInfo& info) {
  const std::optional<std::string> path = PathArgument(info, 0);
  if (!path) return NegativeErrno(info.Env(), EINVAL);
  return HandOver(info.Env(), ListenUnix(*path));
}

Napi::Value PeerPidFunction(const Napi::CallbackInfo& info) {
  const std::optional<std::int32_t> socket = Int32Argument(info, 0);
  if (!socket) return NegativeErrno(info.Env(), EINVAL);
  const Result<int> pid = PeerPid(*socket);
  if (!pid.ok()) return NegativeErrno(info.Env(), pid.error().number);
  return Napi::Number::New(info.Env(), *pid);
}

Napi::Value CloseFdFunction(const Napi::CallbackInfo& info) {
  const std::optional<std::int32_t> fd = Int32Argument(info, 0);
  if (!fd) return NegativeErrno(info.Env(), EINVAL);
  // EINTR is success: Linux has freed the descriptor by then.
  const bool is_closed = close(*fd) == 0 || errno == EINTR;
  return NegativeErrno(info.Env(), is_closed ? 0 : errno);
}

}  // namespace

void DefineDescriptorFunctions(Napi::Env env, Napi::Object exports) {
  exports.Set("lockFile", Napi::Function::New<LockFileFunction>(env, "lockFile"));
  exports.Set("connectUnix", Napi::Function::New<ConnectUnixFunction>(env, "connectUnix"));
  exports.Set("listenUnix", Napi::Function::New<ListenUnixFunction>(env, "listenUnix"));
  exports.Set("peerPid", Napi::Function::New<PeerPidFunction>(env, "peerPid"));
  exports.Set("closeFd", Napi::Function::New<CloseFdFunction>(env, "closeFd"));
}

}  // namespace vmcg
