#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "child.h"
#include "result.h"
#include "root.h"

namespace vmcg {

/** A file or directory beneath a root, which the new process gets open. */
struct LaunchFile {
  std::shared_ptr<const Root> root;
  std::string path;
  bool is_directory;
};

/** How many of a child's descriptors can be pipes: stdin, stdout and stderr. */
inline constexpr std::size_t kMostPipes = 3;

/** What a descriptor of the child is to be. */
struct LaunchStdio {
  enum class Kind { kNullDevice, kPipe, kGiven };
  Kind kind;
  /** For kGiven. */
  Fd given;
};

/**
 * A program to start. It gets these descriptors, and of ours no others: from 0 on those of `stdio`,
 * then the status pipe (see launch_message.h), then one for each of `files`.
 */
struct LaunchRequest {
  /** Not empty: the program's path, and its arguments. */
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::vector<LaunchStdio> stdio;
  std::vector<LaunchFile> files;
};

/** The process runs the program that it was to become in the end. */
struct LaunchStarted {
  int pid;
  /** Our ends of the pipes, by descriptor of the child; empty for what is none. */
  std::array<Fd, kMostPipes> pipes;
};

/** Nothing is left of it. */
struct LaunchFailed {
  SysError error;
  /** Which of `files` could not be opened, or -1. */
  std::int32_t file = -1;
  /** Which of `arguments` the started program could not carry out, or -1. */
  std::int32_t step = -1;
};

/** Hears of a launch, on threads of ours: first one of Started and Failed, then, after Started,
 * Ended. */
class LaunchListener {
 public:
  LaunchListener() = default;
  LaunchListener(const LaunchListener&) = delete;
  LaunchListener& operator=(const LaunchListener&) = delete;
  virtual ~LaunchListener() = default;

  virtual void Started(std::int64_t ticket, LaunchStarted started) = 0;
  virtual void Failed(std::int64_t ticket, LaunchFailed failed) = 0;
  virtual void Ended(std::int64_t ticket, Ending ending) = 0;
};

/**
 * Starts the program on a thread of its own, which goes when the program has become another one
 * (an exec closes the status pipe) or has failed. To give up waiting, kill the child.
 */
Result<std::shared_ptr<Child>> Launch(LaunchRequest request, std::int64_t ticket,
                                      std::shared_ptr<LaunchListener> listener);

}  // namespace vmcg
