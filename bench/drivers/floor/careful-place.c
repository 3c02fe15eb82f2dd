// The floor for placing a VM that is a sandbox already, with what vmcg's `refresh` does around the
// writes. Arguments: the sandbox's parent below the mount points, the folder of the states, the
// mount points of cpu, cpuacct and cpuset. First line: the pid and the vCPUs' tids.

#include <stdlib.h>
#include <unistd.h>

#include "c.h"
#include "careful.h"

static void Look(const struct Host* host, const struct Sandbox* sandbox, long pid, int is_brief) {
  LookAtCgroups(host, sandbox, 1);
  LookAtThreads(host, pid, is_brief);
}

int main(int argc, char** argv) {
  Check(argc == 3 + HIERARCHIES, "usage: floor-careful-place PARENT STATES MOUNT_POINT...");
  struct Host host;
  OpenHost(&host, argv + 3, argv[2]);
  static struct Sandbox sandbox;
  PrepareSandbox(&host, &sandbox, argv[1], "vm");
  TagCgroups(&host, &sandbox);
  size_t count = 0;
  char** ids = SplitWords(KeepLine(), " ", &count);
  Check(count >= 1 && count <= MAX_VCPUS + 1, "a pid, and not too many tids");
  const long pid = strtol(ids[0], NULL, 10);
  long tids[MAX_VCPUS];
  for (size_t i = 1; i < count; i++) tids[i - 1] = strtol(ids[i], NULL, 10);
  AnswerReady();

  while (ReadLine() != NULL) {
    const double start = NowMicroseconds();
    LockSandbox(&sandbox);
    ReadState(&sandbox);
    Look(&host, &sandbox, pid, 0);
    OpenMoves(&host, &sandbox);
    MoveAll(&sandbox, pid, tids, (int)count - 1);
    CloseMoves(&sandbox);
    Look(&host, &sandbox, pid, 1);
    close(sandbox.lock);
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  return 0;
}
