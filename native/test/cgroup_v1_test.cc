#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "batch_builder.h"
#include "core/batch_run.h"
#include "core/operations.h"
#include "core/task_list.h"
#include "temp_dir.h"

namespace vmcg {
namespace {

constexpr const char* kCpuMount = "/sys/fs/cgroup/cpu";

/** A process with at least three threads that sleep until it is killed. */
class SleepingProcess {
 public:
  SleepingProcess() : pid_(fork()) {
    if (pid_ == 0) {
      std::thread([] { pause(); }).detach();
      std::thread([] { pause(); }).detach();
      while (true) pause();
    }
  }
  SleepingProcess(const SleepingProcess&) = delete;
  SleepingProcess& operator=(const SleepingProcess&) = delete;
  ~SleepingProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  /** Three or more tids: sanitizers have a thread of their own. */
  [[nodiscard]] std::vector<std::int32_t> Threads() const {
    std::vector<std::int32_t> tids;
    while (tids.size() < 3) {
      tids.clear();
      const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
      for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
        tids.push_back(std::stoi(entry.path().filename()));
      }
    }
    std::sort(tids.begin(), tids.end());
    return tids;
  }

 private:
  pid_t pid_;
};

/** A pid that has just ended, and has been waited for. */
std::int32_t DeadPid() {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  return pid;
}

/** A cgroup of its own in the real cpu hierarchy, for each test. */
class CgroupV1Test : public testing::Test {
 protected:
  void SetUp() override {
    struct statfs info = {};
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (statfs(kCpuMount, &info) != 0 || info.f_type != CGROUP_SUPER_MAGIC) {
      GTEST_SKIP() << "no cgroup v1 hierarchy at " << kCpuMount;
    }
    Result<Root> root = Root::Open(kCpuMount);
    ASSERT_TRUE(root.ok());
    root_ = std::make_unique<Root>(std::move(*root));
    path_ = "vmcg-test-core-" + std::to_string(getpid());
    ASSERT_EQ(ErrorOf(MakeDir(*root_, path_)), 0);
  }

  void TearDown() override {
    if (path_.empty()) return;
    EXPECT_EQ(ErrorOf(RemoveDir(*root_, path_)), 0);
  }

  [[nodiscard]] std::string At(const std::string& name) const { return path_ + "/" + name; }

  static Root CpuRoot() { return std::move(*Root::Open(kCpuMount)); }

  [[nodiscard]] std::set<std::int32_t> TasksInside() const {
    std::string text;
    EXPECT_EQ(ErrorOf(ReadFile(*root_, At("tasks"), text)), 0);
    std::istringstream lines(text);
    return {std::istream_iterator<std::int32_t>(lines), std::istream_iterator<std::int32_t>()};
  }

 private:
  std::unique_ptr<Root> root_;
  std::string path_;
};

TEST_F(CgroupV1Test, WritesAQuotaAndReadsItBack) {
  BatchBuilder builder(CpuRoot());
  builder.Add(OpCode::kWrite, At("cpu.cfs_quota_us"), "50000")
      .Add(OpCode::kRead, At("cpu.cfs_quota_us"));
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (std::vector<std::int32_t>{0, 0}));
  EXPECT_EQ(BytesOf(result, 1), "50000\n");
}

TEST_F(CgroupV1Test, ReportsTheKernelsRefusalAndKeepsTheOldValue) {
  BatchBuilder builder(CpuRoot());
  builder.Group(0).Add(OpCode::kWrite, At("cpu.cfs_quota_us"), "999");
  builder.Group(1).Add(OpCode::kRead, At("cpu.cfs_quota_us"));
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (std::vector<std::int32_t>{EINVAL, 0}));
  EXPECT_EQ(BytesOf(result, 0), "write");
  EXPECT_EQ(BytesOf(result, 1), "-1\n");
}

TEST_F(CgroupV1Test, KeepsATag) {
  BatchBuilder builder(CpuRoot());
  builder.Add(OpCode::kSetXattr, At("."), "nonce", "trusted.vmcg")
      .Add(OpCode::kInspect, At("."), "cpu.shares/cpu.max/tasks", "trusted.vmcg");
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), (std::vector<std::int32_t>{0, 0}));
  const std::vector<std::int32_t> answers{4, 0, 5, 0, 5, ENOENT, 0, 0, 0};
  EXPECT_EQ(BytesOf(result, 1), BytesOfWords(answers) + "nonce1024\n");
}

TEST_F(CgroupV1Test, PlacesAllOthersWhenOneThreadIsDead) {
  const SleepingProcess process;
  const std::vector<std::int32_t> tids = process.Threads();
  BatchBuilder builder(CpuRoot());
  builder.AddIds(At("tasks"), {tids[0], DeadPid(), 0, tids[1], tids[2]});
  const BatchResult result = RunBatch(builder.batch());
  EXPECT_EQ(ErrorsOf(result), std::vector<std::int32_t>{0});
  EXPECT_EQ(result.operations[0].done, 3);
  EXPECT_EQ(result.id_errors, (std::vector<std::int32_t>{0, ESRCH, EINVAL, 0, 0}));
  EXPECT_EQ(TasksInside(), (std::set<std::int32_t>{tids[0], tids[1], tids[2]}));
}

}  // namespace
}  // namespace vmcg
