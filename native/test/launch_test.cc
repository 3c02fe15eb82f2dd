#include "core/launch.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <future>
#include <optional>
#include <string>

#include "temp_dir.h"

namespace vmcg {
namespace {

/** Keeps what it hears, for the test to wait for. */
class Listener final : public LaunchListener {
 public:
  void Started(std::int64_t /*ticket*/, LaunchStarted started) override {
    started_.set_value(std::move(started));
  }
  void Failed(std::int64_t /*ticket*/, LaunchFailed failed) override {
    failed_.set_value(failed);
    // Whoever waits for a start has to hear of it, too: of none, with the pid 0.
    started_.set_value({});
  }
  void Ended(std::int64_t /*ticket*/, Ending ending) override { ended_.set_value(ending); }

  LaunchStarted AwaitStart() { return started_.get_future().get(); }
  LaunchFailed AwaitFailure() { return failed_.get_future().get(); }
  Ending AwaitEnd() { return ended_.get_future().get(); }

 private:
  std::promise<LaunchStarted> started_;
  std::promise<LaunchFailed> failed_;
  std::promise<Ending> ended_;
};

/** It is beside this program, wherever both are. */
std::string LaunchProgram() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  const std::string self(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return self.substr(0, self.rfind('/') + 1) + "vmcg-launch";
}

/** A request to vmcg-launch, whose status pipe is behind three descriptors. */
LaunchRequest RequestOf(const std::vector<std::string>& steps) {
  LaunchRequest request;
  request.arguments = {LaunchProgram(), "status=3"};
  request.arguments.insert(request.arguments.end(), steps.begin(), steps.end());
  request.environment = {"PATH=/usr/bin:/bin", "A=given"};
  request.stdio.push_back({LaunchStdio::Kind::kNullDevice, {}});
  request.stdio.push_back({LaunchStdio::Kind::kPipe, {}});
  request.stdio.push_back({LaunchStdio::Kind::kNullDevice, {}});
  return request;
}

std::string TextOf(const Fd& pipe) {
  std::string text;
  std::array<char, 256> chunk{};
  for (ssize_t got = 1; got > 0;) {
    got = read(pipe.get(), chunk.data(), chunk.size());
    if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

struct Launched {
  std::shared_ptr<Listener> listener = std::make_shared<Listener>();
  std::shared_ptr<Child> child;
};

Launched Begin(LaunchRequest request) {
  Launched launched;
  Result<std::shared_ptr<Child>> child = Launch(std::move(request), 1, launched.listener);
  EXPECT_TRUE(child.ok());
  launched.child = *child;
  return launched;
}

TEST(Launch, StartsAProgramWithItsEnvironmentAndTellsItsExitCode) {
  const Launched launched = Begin(RequestOf({"close=4", "--", "sh", "-c", "echo $A; exit 3"}));
  const LaunchStarted started = launched.listener->AwaitStart();
  EXPECT_GT(started.pid, 0);
  EXPECT_EQ(TextOf(started.pipes[1]), "given\n");
  const Ending ending = launched.listener->AwaitEnd();
  EXPECT_EQ(ending.code, 3);
  EXPECT_EQ(ending.signal, 0);
}

TEST(Launch, TellsTheSignalThatEndedIt) {
  const Launched launched = Begin(RequestOf({"--", "sleep", "1000"}));
  static_cast<void>(launched.listener->AwaitStart());
  EXPECT_EQ(launched.child->Signal(SIGTERM), 0);
  EXPECT_EQ(launched.listener->AwaitEnd().signal, SIGTERM);
}

TEST(Launch, SignalsNobodyOnceItHasEnded) {
  const Launched launched = Begin(RequestOf({"--", "true"}));
  static_cast<void>(launched.listener->AwaitStart());
  static_cast<void>(launched.listener->AwaitEnd());
  EXPECT_EQ(launched.child->Signal(SIGKILL), ESRCH);
}

TEST(Launch, TellsWhichStepFailedAndLeavesNothing) {
  const Launched launched = Begin(RequestOf({"cwd=/nowhere", "--", "true"}));
  const LaunchFailed failed = launched.listener->AwaitFailure();
  EXPECT_EQ(failed.step, 2);
  EXPECT_EQ(failed.error.number, ENOENT);
  EXPECT_EQ(waitpid(launched.child->pid(), nullptr, WNOHANG), -1);
}

TEST(Launch, TellsWhyAProgramCannotBeExecuted) {
  const Launched launched = Begin(RequestOf({"--", "/etc/passwd"}));
  const LaunchFailed failed = launched.listener->AwaitFailure();
  EXPECT_EQ(failed.step, 2);
  EXPECT_EQ(failed.error.number, EACCES);
}

TEST(Launch, RefusesAnUnknownStepAndAMissingProgram) {
  EXPECT_EQ(Begin(RequestOf({"nonsense=1", "--", "true"})).listener->AwaitFailure().error.number,
            EINVAL);
  EXPECT_EQ(Begin(RequestOf({"--"})).listener->AwaitFailure().error.number, EINVAL);
}

TEST(Launch, TellsWhenTheFirstProgramCannotBeStarted) {
  LaunchRequest request = RequestOf({});
  request.arguments[0] = "/nowhere/vmcg-launch";
  const LaunchFailed failed = Begin(std::move(request)).listener->AwaitFailure();
  EXPECT_EQ(failed.step, -1);
  EXPECT_EQ(failed.error.number, ENOENT);
  EXPECT_STREQ(failed.error.syscall, "posix_spawn");
}

TEST(Launch, WritesZeroToEachOfItsFiles) {
  const TempDir directory;
  directory.MakeFile("a/tasks");
  directory.MakeFile("b/tasks");
  const auto root = std::make_shared<const Root>(directory.AsRoot());
  LaunchRequest request = RequestOf({"tasks=4", "tasks=5", "close=6", "--", "true"});
  request.files = {{root, "a/tasks", false}, {root, "b/tasks", false}};
  const Launched launched = Begin(std::move(request));
  static_cast<void>(launched.listener->AwaitStart());
  EXPECT_EQ(launched.listener->AwaitEnd().code, 0);
  EXPECT_EQ(directory.TextOf("a/tasks"), "0");
  EXPECT_EQ(directory.TextOf("b/tasks"), "0");
}

TEST(Launch, NamesTheFileThatCannotBeOpened) {
  const TempDir directory;
  directory.MakeFile("a/tasks");
  const auto root = std::make_shared<const Root>(directory.AsRoot());
  LaunchRequest request = RequestOf({"tasks=4", "tasks=5", "--", "true"});
  request.files = {{root, "a/tasks", false}, {root, "gone/tasks", false}};
  const LaunchFailed failed = Begin(std::move(request)).listener->AwaitFailure();
  EXPECT_EQ(failed.file, 1);
  EXPECT_EQ(failed.error.number, ENOENT);
}

TEST(Child, IsKilledAtItsBeginningWhenThatWasAskedForBefore) {
  Child child;
  EXPECT_EQ(child.Signal(SIGTERM), ESRCH);
  EXPECT_EQ(child.Signal(SIGKILL), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    while (true) pause();
  }
  child.Begin(pid);
  EXPECT_EQ(child.Await().signal, SIGKILL);
}

}  // namespace
}  // namespace vmcg
