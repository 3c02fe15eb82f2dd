#include "core/task_list.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
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

class FakeProcess {
 public:
  void AddThread(int tid, const std::string& comm) const {
    const std::string at = "100/task/" + std::to_string(tid);
    dir_.MakeFile(at + "/stat", StatText(tid, comm));
  }

  [[nodiscard]] Result<Done> List(std::string& bytes,
                                  TaskDetail detail = TaskDetail::kOfAll) const {
    return ListTasks(dir_.AsRoot(), "100", detail, bytes);
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
  ASSERT_TRUE(process.List(bytes).ok());
  const std::vector<TaskRecord> tasks = Records(bytes);
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(tasks[0].tid, 100);
  EXPECT_STREQ(tasks[1].comm, "CPU 0/KVM");
}

TEST(ListTasks, NamesTheOthersWhenOnlyTheLeaderIsAskedFor) {
  const FakeProcess process;
  process.AddThread(100, "qemu");
  process.AddThread(101, "CPU 0/KVM");
  std::string bytes;
  ASSERT_TRUE(process.List(bytes, TaskDetail::kOfLeader).ok());
  const std::vector<TaskRecord> tasks = Records(bytes);
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(tasks[0].start_time, 987654321.0);
  EXPECT_STREQ(tasks[0].comm, "qemu");
  EXPECT_EQ(tasks[1].tid, 101);
  EXPECT_TRUE(std::isnan(tasks[1].start_time));
  EXPECT_STREQ(tasks[1].comm, "");
}

TEST(ListTasks, LeavesOutAThreadThatVanishes) {
  const FakeProcess process;
  process.AddThread(100, "qemu");
  process.AddThread(101, "worker");
  // What is left for a moment of a thread that ends between readdir and open.
  std::filesystem::remove(process.dir().At("100/task/101/stat"));
  std::string bytes;
  ASSERT_TRUE(process.List(bytes).ok());
  ASSERT_EQ(Records(bytes).size(), 1U);
  EXPECT_EQ(Records(bytes).at(0).tid, 100);
}

TEST(ListTasks, ReportsAProcessThatIsGone) {
  const FakeProcess process;
  std::string bytes;
  EXPECT_EQ(ErrorOf(process.List(bytes)), ENOENT);
  process.AddThread(100, "qemu");
  std::filesystem::remove(process.dir().At("100/task/100/stat"));
  EXPECT_EQ(ErrorOf(process.List(bytes)), ESRCH);
  EXPECT_TRUE(bytes.empty());
}

TEST(ListTasks, SeesThisProcessAsTheKernelDoes) {
  prctl(PR_SET_NAME, "a) S (b");
  std::string bytes;
  Result<Root> proc = Root::Open("/proc");
  ASSERT_TRUE(proc.ok());
  ASSERT_TRUE(ListTasks(*proc, std::to_string(getpid()), TaskDetail::kOfAll, bytes).ok());
  prctl(PR_SET_NAME, "vmcg-core-tests");
  const std::vector<TaskRecord> tasks = Records(bytes);
  const auto self = std::find_if(tasks.begin(), tasks.end(),
                                 [](const TaskRecord& task) { return task.tid == gettid(); });
  ASSERT_NE(self, tasks.end());
  EXPECT_STREQ(self->comm, "a) S (b");
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
    ASSERT_EQ(ErrorOf(ListTasks(*proc, std::to_string(getpid()), TaskDetail::kOfAll, bytes)), 0);
  }
  is_over = true;
  churn.join();
}

}  // namespace
}  // namespace vmcg
