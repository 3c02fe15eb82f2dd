#include "unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "retry.h"

namespace vmcg {

Result<Fd> ConnectUnix(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // An empty path would mean an abstract address.
  if (path.empty()) return SysError{EINVAL, "connect"};
  if (path.size() >= sizeof(address.sun_path)) return SysError{ENAMETOOLONG, "connect"};
  path.copy(address.sun_path, path.size());

  Fd client(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (client.get() == -1) return LastError("socket");
  const int connected = RetryOnEintr([&] {
    return connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  });
  if (connected == -1) return LastError("connect");
  return client;
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
