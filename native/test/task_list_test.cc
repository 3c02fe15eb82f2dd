#include "core/task_list.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "temp_dir.h"

namespace vmcg {
namespace {

/** The text of a stat file, made up but for what is given. */
std::string StatText(int tid, const std::string& comm) {
  return std::to_string(tid) + " (" + comm +
         ") S 1 100 100 0 -1 4194368 5 0 0 0 7 8 0 0 20 0 3 0 987654321 1000 200 "
         "18446744073709551615\n";
}

std::vector<TaskRecord> Records(const std::string& bytes) {
  std::vector<TaskRecord> records(bytes.size() / sizeof(TaskRecord));
  if (!bytes.empty()) std::memcpy(records.data(), bytes.data(), bytes.size());
  std::sort(records.begin(), records.end(),
            [](const TaskRecord& a, const TaskRecord& b) { return a.tid < b.tid; });
  return records;
}

TEST(ParseTaskStat, FindsTheFields) {
  const std::optional<TaskRecord> task = ParseTaskStat(StatText(4711, "CPU 0/KVM"));
  ASSERT_TRUE(task);
  EXPECT_EQ(task->tid, 4711);
  EXPECT_STREQ(task->comm, "CPU 0/KVM");
  EXPECT_EQ(task->flags, 4194368U);
  EXPECT_EQ(task->start_time, 987654321.0);
  EXPECT_EQ(task->ns_tid, 0);
}

TEST(ParseTaskStat, CutsAtTheLastParenthesis) {
  for (const char* comm : {"a) R 1 (b", ") S 0 0", "((", "))", "", "new\nline", ") ("}) {
    const std::optional<TaskRecord> task = ParseTaskStat(StatText(12, comm));
    ASSERT_TRUE(task) << comm;
    EXPECT_STREQ(task->comm, comm);
    EXPECT_EQ(task->flags, 4194368U) << comm;
    EXPECT_EQ(task->start_time, 987654321.0) << comm;
  }
}

TEST(ParseTaskStat, CutsTheLongNamesOfKernelThreads) {
  const std::optional<TaskRecord> task = ParseTaskStat(StatText(9, "kworker/u16:3-events_unbound"));
  ASSERT_TRUE(task);
  EXPECT_STREQ(task->comm, "kworker/u16:3-e");
}

TEST(ParseTaskStat, RefusesWhatIsNoStat) {
  for (const char* text : {"", "12", "12 (a", "a) (12", "x (a) S 1", "12 (a) S 1 2 3", "12 )( S"}) {
    EXPECT_FALSE(ParseTaskStat(text)) << text;
  }
}

TEST(ParseInnermostPid, TakesTheLastColumn) {
  EXPECT_EQ(ParseInnermostPid("Name:\tqemu\nNSpid:\t4711\t12\t3\nNSpgid:\t99\n"), 3);
  EXPECT_EQ(ParseInnermostPid("Name:\tqemu\nNSpid:\t4711\n"), 4711);
}

TEST(ParseInnermostPid, IsZeroWhereThereIsNone) {
  EXPECT_EQ(ParseInnermostPid("Name:\tqemu\nPid:\t4711\n"), 0);
  EXPECT_EQ(ParseInnermostPid("Name:\tNSpid:\t5\n"), 0);
  EXPECT_EQ(ParseInnermostPid(""), 0);
}

class FakeProcess {
 public:
  void AddThread(int tid, const std::string& comm, const std::string& status = "") const {
    const std::string at = "100/task/" + std::to_string(tid);
    dir_.MakeFile(at + "/stat", StatText(tid, comm));
    dir_.MakeFile(at + "/status", status);
  }

  [[nodiscard]] Result<Done> List(bool with_ns_tid, std::string& bytes) const {
    return ListTasks(dir_.AsRoot(), "100", with_ns_tid, bytes);
  }

  [[nodiscard]] const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
};

TEST(ListTasks, ListsEveryThread) {
  const FakeProcess process;
  process.AddThread(100, "qemu");
  process.AddThread(101, "CPU 0/KVM");
  std::string bytes;
  ASSERT_TRUE(process.List(false, bytes).ok());
  const std::vector<TaskRecord> tasks = Records(bytes);
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(tasks[0].tid, 100);
  EXPECT_STREQ(tasks[1].comm, "CPU 0/KVM");
  EXPECT_EQ(tasks[1].ns_tid, 0);
}

TEST(ListTasks, ReadsTheInnermostIdWhenAsked) {
  const FakeProcess process;
  process.AddThread(101, "CPU 0/KVM", "Name:\tCPU 0/KVM\nNSpid:\t101\t7\n");
  std::string bytes;
  ASSERT_TRUE(process.List(true, bytes).ok());
  EXPECT_EQ(Records(bytes).at(0).ns_tid, 7);
}

TEST(ListTasks, LeavesOutAThreadThatVanishes) {
  const FakeProcess process;
  process.AddThread(100, "qemu");
  process.AddThread(101, "worker");
  // What is left for a moment of a thread that ends between readdir and open.
  std::filesystem::remove(process.dir().At("100/task/101/stat"));
  std::string bytes;
  ASSERT_TRUE(process.List(false, bytes).ok());
  ASSERT_EQ(Records(bytes).size(), 1U);
  EXPECT_EQ(Records(bytes).at(0).tid, 100);
}

TEST(ListTasks, ReportsAProcessThatIsGone) {
  const FakeProcess process;
  std::string bytes;
  EXPECT_EQ(ErrorOf(process.List(false, bytes)), ENOENT);
  process.AddThread(100, "qemu");
  std::filesystem::remove(process.dir().At("100/task/100/stat"));
  EXPECT_EQ(ErrorOf(process.List(false, bytes)), ESRCH);
  EXPECT_TRUE(bytes.empty());
}

TEST(ListTasks, SeesThisProcessAsTheKernelDoes) {
  prctl(PR_SET_NAME, "a) S (b");
  std::string bytes;
  Result<Root> proc = Root::Open("/proc");
  ASSERT_TRUE(proc.ok());
  ASSERT_TRUE(ListTasks(*proc, std::to_string(getpid()), true, bytes).ok());
  prctl(PR_SET_NAME, "vmcg-core-tests");
  const std::vector<TaskRecord> tasks = Records(bytes);
  const auto self = std::find_if(tasks.begin(), tasks.end(),
                                 [](const TaskRecord& task) { return task.tid == gettid(); });
  ASSERT_NE(self, tasks.end());
  EXPECT_STREQ(self->comm, "a) S (b");
  EXPECT_GT(self->ns_tid, 0);
  EXPECT_GT(self->start_time, 0);
}

TEST(ListTasks, SurvivesThreadsThatComeAndGo) {
  std::atomic<bool> is_over = false;
  std::thread churn([&is_over] {
    while (!is_over) std::thread([] {}).join();
  });
  Result<Root> proc = Root::Open("/proc");
  ASSERT_TRUE(proc.ok());
  for (int i = 0; i < 500; ++i) {
    std::string bytes;
    ASSERT_EQ(ErrorOf(ListTasks(*proc, std::to_string(getpid()), true, bytes)), 0);
  }
  is_over = true;
  churn.join();
}

}  // namespace
}  // namespace vmcg
