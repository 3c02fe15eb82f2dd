#pragma once

#include <memory>
#include <string>
#include <variant>

#include "fd.h"
#include "machine.h"
#include "qmp_session.h"

namespace spinvm {

// A unix socket that serves one client at a time: the next waits in the backlog, without a
// greeting, as with QEMU.
class QmpServer {
 public:
  // Replaces a socket that a dead process left at the path. The reason when that cannot be.
  static std::variant<std::unique_ptr<QmpServer>, std::string> Listen(const std::string& path,
                                                                      Machine& machine);
  QmpServer(Fd listener, std::string path, Machine& machine);
  QmpServer(const QmpServer&) = delete;
  QmpServer& operator=(const QmpServer&) = delete;
  // Removes the socket.
  ~QmpServer();

  // What to poll for next.
  [[nodiscard]] int fd() const { return session_ ? client_.get() : listener_.get(); }
  [[nodiscard]] short events() const;
  // To be called when one of these events came. False: a client asked the VM to end, and has been
  // answered.
  bool Handle();
  // Tells the client, if there is one, and sends it at once.
  void Emit(const char* event, JsonObject data);

 private:
  void Accept();
  void Receive();
  void Flush();

  Fd listener_;
  std::string path_;
  Machine& machine_;
  Fd client_;
  std::unique_ptr<QmpSession> session_;
};

}  // namespace spinvm
