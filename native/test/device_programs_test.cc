#include "core/device_programs.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "batch_builder.h"
#include "core/batch_run.h"
#include "core/operations.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

using Words = std::vector<std::int32_t>;

constexpr std::int32_t kMoveToR0 = 0xb7;
constexpr std::int32_t kExit = 0x95;

const Words kAllow = {kMoveToR0, 1, kExit, 0};
const Words kDeny = {kMoveToR0, 0, kExit, 0};
// The verifier wants every program to set its answer.
const Words kNoAnswer = {kExit, 0};

std::optional<std::string> MountOfV2() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs info = {};
    if (statfs(path, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC) return path;
  }
  return std::nullopt;
}

struct Listed {
  std::uint32_t id;
  std::uint32_t attach_flags;
  std::int32_t error;
  double load_time_us;
  std::string name;
};

std::vector<Listed> ReadRecords(const std::string& bytes) {
  std::vector<Listed> records;
  for (std::size_t at = 0; at + kProgramRecordBytes <= bytes.size(); at += kProgramRecordBytes) {
    Listed record = {};
    std::memcpy(&record.id, &bytes[at], sizeof(record.id));
    std::memcpy(&record.attach_flags, &bytes[at + 4], sizeof(record.attach_flags));
    std::memcpy(&record.error, &bytes[at + 8], sizeof(record.error));
    std::memcpy(&record.load_time_us, &bytes[at + 16], sizeof(record.load_time_us));
    record.name = &bytes[at + 32];
    records.push_back(record);
  }
  return records;
}

/** A cgroup of its own in the real v2 hierarchy, for each test. */
class DeviceProgramsTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::optional<std::string> mount = MountOfV2();
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!mount) GTEST_SKIP() << "no cgroup v2 hierarchy";
    mount_ = *mount;
    root_ = std::make_unique<Root>(NewRoot());
    path_ = "vmcg-test-core-" + std::to_string(getpid());
    ASSERT_EQ(ErrorOf(MakeDir(*root_, path_)), 0);
  }

  void TearDown() override {
    if (root_ == nullptr) return;
    EXPECT_EQ(ErrorOf(RemoveDir(*root_, path_)), 0);
  }

  /** One that holds no programs, as a process that has just begun. */
  [[nodiscard]] Root NewRoot() const { return std::move(*Root::Open(mount_)); }

  [[nodiscard]] const Root& root() const { return *root_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  Result<Done> Set(const Root& root, const std::string& name, const Words& instructions,
                   std::uint32_t replaces = 0) {
    bytes_.clear();
    return SetDeviceProgram(root, path_, NewProgram{name, instructions, replaces}, bytes_, log_);
  }

  /** The id of the new program. */
  std::uint32_t MustSet(const Root& root, const std::string& name, const Words& instructions,
                        std::uint32_t replaces = 0) {
    EXPECT_EQ(ErrorOf(Set(root, name, instructions, replaces)), 0);
    const std::vector<Listed> records = ReadRecords(bytes_);
    EXPECT_EQ(records.size(), 1U);
    return records.empty() ? 0 : records[0].id;
  }

  [[nodiscard]] std::vector<Listed> List() const {
    std::string bytes;
    EXPECT_EQ(ErrorOf(ListDevicePrograms(*root_, path_, bytes)), 0);
    return ReadRecords(bytes);
  }

  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Listed& program : List()) names.push_back(program.name);
    return names;
  }

  /** The errno with which a process in the cgroup opens /dev/zero. */
  [[nodiscard]] int ErrorOfOpening() const {
    const pid_t pid = fork();
    if (pid == 0) {
      const int procs =
          open((mount_ + "/" + path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
      if (write(procs, "0", 1) != 1) _exit(255);
      _exit(open("/dev/zero", O_RDONLY | O_CLOEXEC) == -1 ? errno : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  }

  [[nodiscard]] const std::string& log() const { return log_; }

 private:
  std::string mount_;
  std::unique_ptr<Root> root_;
  std::string path_;
  std::string bytes_;
  std::string log_;
};

TEST_F(DeviceProgramsTest, AttachesAProgramThatTheKernelAsks) {
  EXPECT_EQ(ErrorOfOpening(), 0);
  const std::uint32_t id = MustSet(root(), "vmcg_deny", kDeny);
  const std::vector<Listed> programs = List();
  ASSERT_EQ(programs.size(), 1U);
  EXPECT_EQ(programs[0].id, id);
  EXPECT_EQ(programs[0].attach_flags, static_cast<std::uint32_t>(BPF_F_ALLOW_MULTI));
  EXPECT_EQ(programs[0].error, 0);
  EXPECT_EQ(programs[0].name, "vmcg_deny");
  EXPECT_GT(programs[0].load_time_us, 0);
  EXPECT_EQ(ErrorOfOpening(), EPERM);
}

TEST_F(DeviceProgramsTest, ReplacesItsOwnProgramInPlace) {
  MustSet(root(), "first", kAllow);
  const std::uint32_t own = MustSet(root(), "vmcg_deny", kDeny);
  MustSet(root(), "last", kAllow);
  MustSet(root(), "vmcg_allow", kAllow, own);
  EXPECT_EQ(Names(), (std::vector<std::string>{"first", "vmcg_allow", "last"}));
  EXPECT_EQ(ErrorOfOpening(), 0);
}

TEST_F(DeviceProgramsTest, ReplacesByIdWhatAnotherProcessHasAttached) {
  const std::uint32_t old = MustSet(NewRoot(), "vmcg_old", kDeny);
  MustSet(root(), "vmcg_new", kAllow, old);
  EXPECT_EQ(Names(), std::vector<std::string>{"vmcg_new"});
}

TEST_F(DeviceProgramsTest, KeepsOneProgramThroughHundredsOfUpdates) {
  std::uint32_t id = 0;
  for (int i = 0; i < 200; ++i) id = MustSet(root(), "vmcg_deny", i % 2 == 0 ? kAllow : kDeny, id);
  EXPECT_EQ(List().size(), 1U);
}

TEST_F(DeviceProgramsTest, WantsEveryProgramToAllow) {
  MustSet(root(), "foreign", kDeny);
  MustSet(root(), "vmcg_allow", kAllow);
  EXPECT_EQ(ErrorOfOpening(), EPERM);
}

TEST_F(DeviceProgramsTest, DoesNotLoadWhatCannotTakeItsPlace) {
  const std::uint32_t gone = MustSet(root(), "vmcg_gone", kAllow);
  ASSERT_EQ(ErrorOf(RemoveDeviceProgram(root(), path(), gone)), 0);
  EXPECT_EQ(ErrorOf(Set(root(), "vmcg_new", kAllow, gone)), ENOENT);
  EXPECT_TRUE(List().empty());
}

TEST_F(DeviceProgramsTest, TakesAProgramOff) {
  const std::uint32_t id = MustSet(root(), "vmcg_deny", kDeny);
  MustSet(root(), "foreign", kAllow);
  EXPECT_EQ(ErrorOf(RemoveDeviceProgram(root(), path(), id)), 0);
  EXPECT_EQ(Names(), std::vector<std::string>{"foreign"});
  EXPECT_EQ(ErrorOf(RemoveDeviceProgram(root(), path(), id)), ENOENT);
}

TEST_F(DeviceProgramsTest, SaysWhenThereIsRoomForNoMore) {
  std::uint32_t id = 0;
  for (int i = 0; i < 64; ++i) id = MustSet(root(), "vmcg_allow", kAllow);
  EXPECT_EQ(ErrorOf(Set(root(), "vmcg_allow", kAllow)), E2BIG);
  EXPECT_EQ(List().size(), 64U);
  // Not even in the place of another.
  EXPECT_EQ(ErrorOf(Set(root(), "vmcg_allow", kAllow, id)), E2BIG);
}

TEST_F(DeviceProgramsTest, GivesTheVerifiersWords) {
  const Result<Done> set = Set(root(), "vmcg_wrong", kNoAnswer);
  EXPECT_EQ(ErrorOf(set), EACCES);
  EXPECT_STREQ(set.error().syscall, "bpf(BPF_PROG_LOAD)");
  EXPECT_NE(log().find("R0 !read_ok"), std::string::npos) << log();
  EXPECT_TRUE(List().empty());
}

TEST_F(DeviceProgramsTest, RefusesNamesThatTheKernelWouldCutOff) {
  EXPECT_EQ(ErrorOf(Set(root(), "vmcg_0123456789", kAllow)), 0);
  EXPECT_EQ(ErrorOf(Set(root(), "vmcg_0123456789a", kAllow)), EINVAL);
  EXPECT_EQ(ErrorOf(Set(root(), "vm cg", kAllow)), EINVAL);
}

TEST_F(DeviceProgramsTest, StaysBeneathTheRoot) {
  std::string bytes;
  EXPECT_EQ(ErrorOf(ListDevicePrograms(root(), "..", bytes)), EXDEV);
  EXPECT_EQ(ErrorOf(ListDevicePrograms(root(), "missing", bytes)), ENOENT);
}

TEST_F(DeviceProgramsTest, KnowsNoProgramsOutsideOfV2) {
  const TempDir dir;
  std::string bytes;
  const Result<Done> listed = ListDevicePrograms(dir.AsRoot(), ".", bytes);
  EXPECT_EQ(ErrorOf(listed), EBADF);
  EXPECT_STREQ(listed.error().syscall, "bpf(BPF_PROG_QUERY)");
}

TEST_F(DeviceProgramsTest, RunsInABatch) {
  BatchBuilder builder(NewRoot());
  builder.Group(0).AddProgram(path(), "vmcg_deny", kDeny).Add(OpCode::kListDevicePrograms, path());
  builder.Group(1).AddProgram(path(), "vmcg_wrong", kNoAnswer).Add(OpCode::kListDirs, path());
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (std::vector<std::int32_t>{0, 0, EACCES, kNotRun}));
  EXPECT_EQ(BytesOf(result, 0), BytesOf(result, 1));
  EXPECT_EQ(ReadRecords(BytesOf(result, 1)).size(), 1U);
  const std::string refusal = BytesOf(result, 2);
  EXPECT_STREQ(refusal.c_str(), "bpf(BPF_PROG_LOAD)");
  EXPECT_NE(refusal.find("R0 !read_ok"), std::string::npos) << refusal;
  EXPECT_EQ(BytesOf(result, 3), "");
}

Fd OpenNothing() { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(HeldPrograms, FindsWhatIsHeldForACgroup) {
  HeldPrograms held;
  held.Hold("a", 7, OpenNothing());
  EXPECT_EQ(ErrorOf(held.Find("a", 7)), 0);
  EXPECT_EQ(ErrorOf(held.Find("a", 8)), ENOENT);
  EXPECT_EQ(ErrorOf(held.Find("b", 7)), ENOENT);
}

TEST(HeldPrograms, HoldsOnePerCgroup) {
  HeldPrograms held;
  held.Hold("a", 7, OpenNothing());
  const Result<Fd> in_use = held.Find("a", 7);
  held.Hold("a", 8, OpenNothing());
  EXPECT_EQ(ErrorOf(held.Find("a", 7)), ENOENT);
  EXPECT_NE(fcntl(in_use->get(), F_GETFD), -1);
  held.Drop("a", 7);
  EXPECT_EQ(ErrorOf(held.Find("a", 8)), 0);
  held.DropAll("a");
  EXPECT_EQ(ErrorOf(held.Find("a", 8)), ENOENT);
}

}  // namespace
}  // namespace vmcg
