#include "qmp_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace spinvm {
namespace {

constexpr int kBacklog = 1;
constexpr size_t kReadBytes = 4096;

std::string Because(const std::string& what) {
  return what + ": " + std::generic_category().message(errno);
}

bool IsTransient(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

std::variant<std::unique_ptr<QmpServer>, std::string> QmpServer::Listen(const std::string& path,
                                                                        Machine& machine) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return "--qmp: the path is too long: " + path;
  path.copy(address.sun_path, path.size());
  Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return Because("socket");
  struct stat existing {};
  if (lstat(path.c_str(), &existing) == 0 && S_ISSOCK(existing.st_mode)) unlink(path.c_str());
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (bind(listener.get(), where, sizeof address) != 0) return Because(path);
  auto server = std::make_unique<QmpServer>(std::move(listener), path, machine);
  if (listen(server->fd(), kBacklog) != 0) return Because(path);
  return server;
}

QmpServer::QmpServer(Fd listener, std::string path, Machine& machine)
    : listener_(std::move(listener)), path_(std::move(path)), machine_(machine) {}

QmpServer::~QmpServer() { unlink(path_.c_str()); }

// A client that does not read is not read from either: what is queued for it stays bounded.
short QmpServer::events() const {
  return session_ && !session_->output().empty() ? POLLOUT : POLLIN;
}

bool QmpServer::Handle() {
  if (!session_) {
    Accept();
    return true;
  }
  if (session_->output().empty()) Receive();
  if (!session_) return true;
  const bool quit = session_->quit();
  Flush();
  return !quit;
}

void QmpServer::Emit(const char* event, JsonObject data) {
  if (!session_) return;
  session_->Emit(event, std::move(data));
  Flush();
}

void QmpServer::Accept() {
  Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client.valid()) return;
  client_ = std::move(client);
  session_ = std::make_unique<QmpSession>(machine_);
  Flush();
}

void QmpServer::Receive() {
  std::array<char, kReadBytes> buffer;
  const ssize_t count = recv(client_.get(), buffer.data(), buffer.size(), 0);
  if (count > 0) {
    session_->Receive({buffer.data(), static_cast<size_t>(count)});
  } else if (count == 0 || !IsTransient(errno)) {
    session_.reset();
    client_ = Fd();
  }
}

void QmpServer::Flush() {
  std::string& output = session_->output();
  while (!output.empty()) {
    const ssize_t count = send(client_.get(), output.data(), output.size(), MSG_NOSIGNAL);
    if (count > 0) {
      output.erase(0, static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      session_.reset();
      client_ = Fd();
      return;
    }
  }
}

}  // namespace spinvm
