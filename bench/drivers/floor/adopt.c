// The floor for adopting VMs: asks all of them first, makes the cgroups and sets the limits, and
// then does all the moves back to back. Arguments: the folder to make sandboxes in, in the
// hierarchies of cpu, cpuacct and cpuset; the CPUs; the memory nodes. First line: `pid:socket` of
// each VM. Orders: `run`; `also`, answered by the slowest single write of a run that moved
// somebody.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "c.h"
#include "qmp.h"

enum { CPU, CPUACCT, CPUSET, HIERARCHIES };

struct Vm {
  long pid;
  int qmp;
  int vcpus;
  long tids[MAX_VCPUS];
};

static double slowest = 0;

static void Move(int file, long id) {
  const double start = NowMicroseconds();
  WriteNumber(file, id);
  const double took = NowMicroseconds() - start;
  if (took > slowest) slowest = took;
}

static void MakeSandbox(char** parents, size_t index, const char* cpus, const char* nodes,
                        int vcpus) {
  char sandbox[MAX_PATH], leaf[MAX_PATH], shares[16];
  for (int i = 0; i < HIERARCHIES; i++) {
    snprintf(sandbox, sizeof sandbox, "%s/%zu", parents[i], index);
    Check(mkdir(sandbox, 0755) == 0, sandbox);
    Check(snprintf(leaf, sizeof leaf, "%s/vcpu", sandbox) < MAX_PATH, "a shorter path");
    Check(mkdir(leaf, 0755) == 0, leaf);
    if (i == CPU) {
      snprintf(shares, sizeof shares, "%d", 1024 * vcpus);
      WriteIn(sandbox, "cpu.shares", "2048");
      WriteIn(leaf, "cpu.shares", shares);
      WriteIn(leaf, "cpu.cfs_quota_us", "200000");
    }
    if (i == CPUSET) {
      WriteIn(sandbox, "cpuset.cpus", cpus);
      WriteIn(leaf, "cpuset.cpus", cpus);
      WriteIn(sandbox, "cpuset.mems", nodes);
      WriteIn(leaf, "cpuset.mems", nodes);
    }
  }
}

static void Place(char** parents, size_t index, const struct Vm* vm) {
  char path[MAX_PATH];
  for (int i = 0; i < HIERARCHIES; i++) {
    snprintf(path, sizeof path, "%s/%zu/cgroup.procs", parents[i], index);
    const int sandbox = OpenFile(path, O_WRONLY);
    Move(sandbox, vm->pid);
    close(sandbox);
    snprintf(path, sizeof path, "%s/%zu/vcpu/tasks", parents[i], index);
    const int leaf = OpenFile(path, O_WRONLY);
    for (int j = 0; j < vm->vcpus; j++) Move(leaf, vm->tids[j]);
    close(leaf);
  }
}

int main(int argc, char** argv) {
  Check(argc == 6, "usage: floor-adopt CPU_FOLDER CPUACCT_FOLDER CPUSET_FOLDER CPUS NODES");
  char** parents = argv + 1;
  RaiseFileLimit();
  size_t count = 0;
  char** words = SplitWords(KeepLine(), " ", &count);
  struct Vm* vms = calloc(count, sizeof *vms);
  Check(vms != NULL, "calloc");
  for (size_t i = 0; i < count; i++) {
    char* path = NULL;
    vms[i].pid = strtol(words[i], &path, 10);
    vms[i].qmp = ConnectQmp(path + 1);
  }
  AnswerReady();

  for (char* order; (order = ReadLine()) != NULL;) {
    if (strcmp(order, "also") == 0) {
      AnswerMicroseconds(slowest);
      continue;
    }
    slowest = 0;
    const double start = NowMicroseconds();
    for (size_t i = 0; i < count; i++) AskVcpus(vms[i].qmp);
    for (size_t i = 0; i < count; i++) vms[i].vcpus = TakeVcpus(vms[i].qmp, vms[i].tids);
    for (size_t i = 0; i < count; i++) MakeSandbox(parents, i, argv[4], argv[5], vms[i].vcpus);
    for (size_t i = 0; i < count; i++) Place(parents, i, &vms[i]);
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  return 0;
}
