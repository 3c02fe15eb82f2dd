#include "core/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "temp_dir.h"

namespace vmcg {
namespace {

Fd Listen(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(listener.get(), 1), 0);
  return listener;
}

TEST(ConnectUnix, GivesANonBlockingDescriptor) {
  const TempDir dir;
  const Fd listener = Listen(dir.At("qmp"));
  const Result<Fd> client = ConnectUnix(dir.At("qmp"));
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(fcntl(client->get(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  EXPECT_EQ(fcntl(client->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(ConnectUnix, TellsWhyItCannot) {
  const TempDir dir;
  EXPECT_EQ(ErrorOf(ConnectUnix(dir.At("missing"))), ENOENT);
  { const Fd listener = Listen(dir.At("closed")); }
  EXPECT_EQ(ErrorOf(ConnectUnix(dir.At("closed"))), ECONNREFUSED);
  EXPECT_EQ(ErrorOf(ConnectUnix("")), EINVAL);
}

TEST(ConnectUnix, RefusesAPathThatDoesNotFit) {
  const std::size_t room = sizeof(sockaddr_un::sun_path);
  EXPECT_EQ(ErrorOf(ConnectUnix("/" + std::string(room - 1, 'x'))), ENAMETOOLONG);
  EXPECT_EQ(ErrorOf(ConnectUnix("/" + std::string(room - 2, 'x'))), ENOENT);
}

TEST(ConnectUnix, DoesNotWaitForAFullQueue) {
  const TempDir dir;
  const Fd listener = Listen(dir.At("qmp"));
  const Result<Fd> first = ConnectUnix(dir.At("qmp"));
  const Result<Fd> second = ConnectUnix(dir.At("qmp"));
  EXPECT_EQ(ErrorOf(ConnectUnix(dir.At("qmp"))), EAGAIN);
}

TEST(PeerPid, IsThatOfTheListener) {
  const TempDir dir;
  const Fd listener = Listen(dir.At("qmp"));
  const Result<Fd> client = ConnectUnix(dir.At("qmp"));
  ASSERT_TRUE(client.ok());
  const Result<int> pid = PeerPid(client->get());
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(*pid, getpid());
}

TEST(PeerPid, IsNotKnownWithoutAPeer) {
  const Fd alone(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(ErrorOf(PeerPid(alone.get())), ESRCH);
  EXPECT_EQ(ErrorOf(PeerPid(-1)), EBADF);
}

}  // namespace
}  // namespace vmcg
