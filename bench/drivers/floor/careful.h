// What vmcg does around its writes to keep its promises, system call for system call: it locks a
// sandbox, keeps a state that survives a crash, and looks at cgroups and threads before and after.

#ifndef VMCG_BENCH_CAREFUL_H
#define VMCG_BENCH_CAREFUL_H

#include "c.h"

enum { CPU, CPUACCT, CPUSET, HIERARCHIES };

// Where sandboxes are. The descriptors are open for as long as the program runs, as vmcg's are.
struct Host {
  int roots[HIERARCHIES];
  int proc;
  const char* states;
};

struct Sandbox {
  char path[MAX_PATH];  // of the cgroup, below each root
  char lock_file[MAX_PATH];
  char state_file[MAX_PATH];
  char new_state_file[MAX_PATH];
  int lock;
  int processes[HIERARCHIES];  // `cgroup.procs`, open for a burst
  int vcpus[HIERARCHIES];      // the leaf's `tasks`, likewise
};

// Takes the mount points of the three hierarchies and the folder of the states.
void OpenHost(struct Host* host, char** mount_points, const char* states);

// A sandbox with a state that a run can read.
void PrepareSandbox(const struct Host* host, struct Sandbox* sandbox, const char* parent,
                    const char* name);

// The lock has the pid of its holder, for whoever is told that it is taken.
void LockSandbox(struct Sandbox* sandbox);
void ReadState(const struct Sandbox* sandbox);

// A new file that is on its disk before it takes the place of the old one.
void WriteState(const struct Host* host, const struct Sandbox* sandbox);

// That the threads that the VMM names are its own.
void LookAtProcess(long pid);

// The tags, knobs and threads of the sandbox's cgroups, and the knobs of those above: all of them
// while there is something to make, and then those that limit what is below.
void LookAtCgroups(const struct Host* host, const struct Sandbox* sandbox, int is_made);

// The name and the start time of each thread: a tid alone can be somebody else's by now. A brief
// look, which finds that all is as it was left, needs no more than the tids.
void LookAtThreads(const struct Host* host, long pid, int is_brief);

// Makes the sandbox's cgroup and its leaf in each hierarchy, and tags them.
void MakeCgroups(const struct Host* host, const struct Sandbox* sandbox);

// Tags those that are there.
void TagCgroups(const struct Host* host, const struct Sandbox* sandbox);

// The name is relative to the sandbox's cgroup: `vcpu/cpu.shares` is the leaf's.
void SetKnob(const struct Host* host, int hierarchy, const struct Sandbox* sandbox,
             const char* name, const char* value);

// All descriptors are open before the first move, those of other sandboxes of the burst, too.
void OpenMoves(const struct Host* host, struct Sandbox* sandbox);

// Moves the process and then its vCPUs. Returns how long the slowest took, in microseconds.
double MoveAll(const struct Sandbox* sandbox, long pid, const long* tids, int vcpus);

void CloseMoves(const struct Sandbox* sandbox);

#endif
