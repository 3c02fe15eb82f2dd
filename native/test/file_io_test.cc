#include "core/file_io.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <vector>

#include "temp_dir.h"

namespace vmcg {
namespace {

Fd OpenFile(const std::string& path, int flags) {
  return Fd(open(path.c_str(), flags | O_CLOEXEC));
}

/** A socket pair keeps each write apart, as a cgroup file does. */
struct Packets {
  Packets() {
    std::array<int, 2> fds{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    writer = Fd(fds[0]);
    reader = Fd(fds[1]);
  }

  [[nodiscard]] std::vector<std::string> All() const {
    std::vector<std::string> packets;
    std::array<char, 64> buffer{};
    ssize_t size = 0;
    while ((size = read(reader.get(), buffer.data(), buffer.size())) > 0) {
      packets.emplace_back(buffer.data(), static_cast<std::size_t>(size));
    }
    return packets;
  }

  Fd writer;
  Fd reader;
};

TEST(WriteOnce, WritesTheWholeValueAtOnce) {
  const Packets packets;
  ASSERT_TRUE(WriteOnce(packets.writer, "50000").ok());
  EXPECT_EQ(packets.All(), std::vector<std::string>{"50000"});
}

TEST(WriteOnce, TakesAShortWriteForAnError) {
  std::array<int, 2> fds{};
  ASSERT_EQ(pipe2(fds.data(), O_NONBLOCK | O_CLOEXEC), 0);
  const Fd reader(fds[0]);
  const Fd writer(fds[1]);
  const auto capacity = static_cast<std::size_t>(fcntl(writer.get(), F_GETPIPE_SZ));
  EXPECT_EQ(ErrorOf(WriteOnce(writer, std::string(capacity * 2, 'x'))), EIO);
}

TEST(WriteOnce, NamesTheSystemCall) {
  const Result<Done> written = WriteOnce(Fd(), "1");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().number, EBADF);
  EXPECT_STREQ(written.error().syscall, "write");
}

TEST(ReadToEnd, AppendsAFileOfAnyLength) {
  const TempDir dir;
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 100'000U}) {
    dir.MakeFile("knob", std::string(size, 'k'));
    std::string bytes = "before";
    ASSERT_TRUE(ReadToEnd(OpenFile(dir.At("knob"), O_RDONLY), bytes).ok());
    EXPECT_EQ(bytes, "before" + std::string(size, 'k'));
  }
}

TEST(ReadToEnd, LeavesTheBytesAloneWhenItFails) {
  std::string bytes = "before";
  EXPECT_EQ(ErrorOf(ReadToEnd(OpenFile("/", O_RDONLY | O_DIRECTORY), bytes)), EISDIR);
  EXPECT_EQ(bytes, "before");
}

TEST(ReadToEnd, RefusesAFileWithoutEnd) {
  std::string bytes = "before";
  EXPECT_EQ(ErrorOf(ReadToEnd(OpenFile("/dev/zero", O_RDONLY), bytes)), EFBIG);
  EXPECT_EQ(bytes, "before");
}

TEST(WriteEachId, WritesEachIdByAWriteOfItsOwn) {
  const Packets packets;
  const std::array<std::int32_t, 3> ids{7, 4194304, 2147483647};
  std::array<std::int32_t, 3> errors{-1, -1, -1};
  EXPECT_EQ(WriteEachId(packets.writer, ids, errors), 3);
  EXPECT_EQ(errors, (std::array<std::int32_t, 3>{0, 0, 0}));
  EXPECT_EQ(packets.All(), (std::vector<std::string>{"7", "4194304", "2147483647"}));
}

TEST(WriteEachId, NeverWritesAnIdThatMeansTheWriter) {
  const Packets packets;
  const std::array<std::int32_t, 4> ids{0, 12, -1, -2147483647 - 1};
  std::array<std::int32_t, 4> errors{-1, -1, -1, -1};
  EXPECT_EQ(WriteEachId(packets.writer, ids, errors), 1);
  EXPECT_EQ(errors, (std::array<std::int32_t, 4>{EINVAL, 0, EINVAL, EINVAL}));
  EXPECT_EQ(packets.All(), std::vector<std::string>{"12"});
}

TEST(WriteEachId, TriesEveryIdWhateverBecomesOfTheOthers) {
  const std::array<std::int32_t, 2> ids{1, 2};
  std::array<std::int32_t, 2> errors{-1, -1};
  EXPECT_EQ(WriteEachId(Fd(), ids, errors), 0);
  EXPECT_EQ(errors, (std::array<std::int32_t, 2>{EBADF, EBADF}));
}

}  // namespace
}  // namespace vmcg
