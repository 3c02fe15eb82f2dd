#include "launch.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "detached_thread.h"
#include "launch_message.h"
#include "reaper.h"
#include "retry.h"

namespace vmcg {
namespace {

struct Pipe {
  Fd reader;
  Fd writer;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) == -1) return LastError("pipe2");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/** What posix_spawn does in the child; its destructor is not optional. */
class SpawnActions {
 public:
  SpawnActions() { posix_spawn_file_actions_init(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }

  int Give(int from, int to) { return posix_spawn_file_actions_adddup2(&actions_, from, to); }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/** One launch, on its thread. */
class LaunchRun {
 public:
  LaunchRun(LaunchRequest request, std::int64_t ticket, std::shared_ptr<LaunchListener> listener,
            std::shared_ptr<Child> child)
      : request_(std::move(request)),
        ticket_(ticket),
        listener_(std::move(listener)),
        child_(std::move(child)) {}

  static void* ThreadMain(void* run) {
    std::unique_ptr<LaunchRun>(static_cast<LaunchRun*>(run))->Run();
    return nullptr;
  }

 private:
  void Run() {
    const std::optional<LaunchFailed> failed = Start();
    if (failed) {
      listener_->Failed(ticket_, *failed);
      return;
    }
    listener_->Started(ticket_, LaunchStarted{child_->pid(), std::move(pipes_)});
    Result<Reaper*> reaper = Reaper::Get();
    const auto on_end = [listener = listener_, ticket = ticket_](Ending ending) {
      listener->Ended(ticket, ending);
    };
    // Without pidfds, or descriptors to spare, this thread stays and waits.
    if (!reaper.ok() || !(*reaper)->Watch(child_, on_end).ok()) on_end(child_->Await());
  }

  std::optional<LaunchFailed> Start() {
    if (std::optional<LaunchFailed> failed = Prepare()) return failed;
    const Result<pid_t> pid = Spawn();
    // The child has copies; the status pipe ends when no one else has it open.
    ends_.clear();
    if (!pid.ok()) return LaunchFailed{pid.error()};
    return Follow(*pid);
  }

  std::optional<LaunchFailed> Prepare() {
    for (std::size_t at = 0; at < request_.stdio.size(); ++at) {
      const Result<Fd> end = StdioEnd(at);
      if (!end.ok()) return LaunchFailed{end.error()};
      const Result<Done> kept = Keep(end->get());
      if (!kept.ok()) return LaunchFailed{kept.error()};
    }
    Result<Pipe> status = MakePipe();
    if (!status.ok()) return LaunchFailed{status.error()};
    const Result<Done> kept = Keep(status->writer.get());
    if (!kept.ok()) return LaunchFailed{kept.error()};
    status_ = std::move(status->reader);
    for (std::size_t at = 0; at < request_.files.size(); ++at) {
      const auto& [root, path, is_directory] = request_.files[at];
      const Result<Fd> file =
          root->OpenBeneath(path, is_directory ? O_RDONLY | O_DIRECTORY : O_WRONLY);
      const Result<Done> kept_file = file.ok() ? Keep(file->get()) : file.error();
      if (!kept_file.ok()) return LaunchFailed{kept_file.error(), static_cast<std::int32_t>(at)};
    }
    return std::nullopt;
  }

  /** The child's end of its descriptor `at`; ours of a pipe is kept in `pipes_`. */
  Result<Fd> StdioEnd(std::size_t at) {
    LaunchStdio& wanted = request_.stdio[at];
    switch (wanted.kind) {
      case LaunchStdio::Kind::kGiven:
        return std::move(wanted.given);
      case LaunchStdio::Kind::kNullDevice: {
        Fd null(RetryOnEintr([] { return open("/dev/null", O_RDWR | O_CLOEXEC); }));
        if (null.get() == -1) return LastError("open");
        return null;
      }
      case LaunchStdio::Kind::kPipe:
        break;
    }
    Result<Pipe> pipe = MakePipe();
    if (!pipe.ok()) return pipe.error();
    const bool is_input = at == 0;
    pipes_.at(at) = std::move(is_input ? pipe->writer : pipe->reader);
    return std::move(is_input ? pipe->reader : pipe->writer);
  }

  /**
   * Keeps a copy of what the child is to get next. It has a higher number than all that the child
   * gets, so that putting one into its place never covers another.
   */
  Result<Done> Keep(int fd) {
    const auto lowest = static_cast<int>(request_.stdio.size() + 1 + request_.files.size());
    Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, lowest));
    if (copy.get() == -1) return LastError("fcntl");
    ends_.push_back(std::move(copy));
    return Done{};
  }

  /** By posix_spawn: it shares our memory until the exec, instead of copying all page tables. */
  Result<pid_t> Spawn() {
    SpawnActions actions;
    for (std::size_t to = 0; to < ends_.size(); ++to) {
      const int error = actions.Give(ends_[to].get(), static_cast<int>(to));
      if (error != 0) return SysError{error, "posix_spawn"};
    }
    const std::vector<char*> arguments = Pointers(request_.arguments);
    const std::vector<char*> environment = Pointers(request_.environment);
    pid_t pid = 0;
    const int error = posix_spawn(&pid, arguments[0], actions.get(), nullptr, arguments.data(),
                                  environment.data());
    if (error != 0) return SysError{error, "posix_spawn"};
    return pid;
  }

  /** Listens to the program until it becomes another one or fails. */
  std::optional<LaunchFailed> Follow(pid_t spawned) {
    // Who is to be born in a v2 cgroup is another process, and this one never blocks.
    const bool goes_on = std::none_of(request_.files.begin(), request_.files.end(),
                                      [](const LaunchFile& file) { return file.is_directory; });
    if (goes_on) child_->Begin(spawned);
    std::optional<LaunchFailed> failed;
    LaunchMessage message = {};
    while (Receive(message)) {
      if (message.step == kBorn) {
        if (message.value != spawned) waitpid(spawned, nullptr, 0);
        child_->Begin(message.value);
      } else {
        failed = LaunchFailed{SysError{message.value, "exec"}, -1, message.step};
      }
    }
    if (child_->pid() == 0) child_->Begin(spawned);
    if (failed) child_->Await();
    return failed;
  }

  bool Receive(LaunchMessage& message) {
    const ssize_t got =
        RetryOnEintr([&] { return read(status_.get(), &message, sizeof(message)); });
    return got == static_cast<ssize_t>(sizeof(message));
  }

  LaunchRequest request_;
  std::int64_t ticket_;
  std::shared_ptr<LaunchListener> listener_;
  std::shared_ptr<Child> child_;
  std::array<Fd, kMostPipes> pipes_;
  Fd status_;
  /** What the child gets, by its numbers there. */
  std::vector<Fd> ends_;
};

}  // namespace

Result<std::shared_ptr<Child>> Launch(LaunchRequest request, std::int64_t ticket,
                                      std::shared_ptr<LaunchListener> listener) {
  auto child = std::make_shared<Child>();
  auto run = std::make_unique<LaunchRun>(std::move(request), ticket, std::move(listener), child);
  const int error = StartDetachedThread("vmcg-launch", LaunchRun::ThreadMain, run.get());
  if (error != 0) return SysError{error, "pthread_create"};
  static_cast<void>(run.release());  // The thread owns it now.
  return child;
}

}  // namespace vmcg
