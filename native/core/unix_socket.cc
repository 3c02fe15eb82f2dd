#include "unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "retry.h"

namespace vmcg {
namespace {

Result<sockaddr_un> AddressOf(const std::string& path, const char* syscall) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // An empty path would mean an abstract address.
  if (path.empty()) return SysError{EINVAL, syscall};
  if (path.size() >= sizeof(address.sun_path)) return SysError{ENAMETOOLONG, syscall};
  path.copy(address.sun_path, path.size());
  return address;
}

}  // namespace

Result<Fd> ConnectUnix(const std::string& path) {
  const Result<sockaddr_un> address = AddressOf(path, "connect");
  if (!address.ok()) return address.error();
  Fd client(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (client.get() == -1) return LastError("socket");
  const int connected = RetryOnEintr([&] {
    return connect(client.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
  });
  if (connected == -1) return LastError("connect");
  return client;
}

Result<Fd> ListenUnix(const std::string& path) {
  const Result<sockaddr_un> address = AddressOf(path, "bind");
  if (!address.ok()) return address.error();
  Fd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (server.get() == -1) return LastError("socket");
  if (bind(server.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == -1) {
    return LastError("bind");
  }
  if (listen(server.get(), 1) == -1) return LastError("listen");
  return server;
}

Result<int> PeerPid(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == -1) {
    return LastError("getsockopt");
  }
  if (peer.pid <= 0) return SysError{ESRCH, "getsockopt"};
  return peer.pid;
}

}  // namespace vmcg
