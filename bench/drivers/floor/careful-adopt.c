// The floor for adopting VMs with what vmcg's `applyAll` does around the writes: each step for all
// VMs before the next one, all moves in one burst. Arguments: the sandboxes' parent below the mount
// points, the folder of the states, the mount points of cpu, cpuacct and cpuset, the CPUs, the
// memory nodes. First line: `pid:socket` of each VM. Orders: `run`; `also`, answered by the slowest
// single write of a run that moved somebody.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "c.h"
#include "careful.h"
#include "qmp.h"

struct Vm {
  long pid;
  int qmp;
  int vcpus;
  long tids[MAX_VCPUS];
  struct Sandbox sandbox;
};

static void AskAll(struct Vm* vms, size_t count) {
  for (size_t i = 0; i < count; i++) AskThreads(vms[i].qmp);
  for (size_t i = 0; i < count; i++) {
    vms[i].vcpus = TakeThreads(vms[i].qmp, vms[i].tids);
    LookAtProcess(vms[i].pid);
  }
}

static void LookAndWriteState(const struct Host* host, const struct Vm* vms, size_t count,
                              int is_made) {
  for (size_t i = 0; i < count; i++) {
    LookAtCgroups(host, &vms[i].sandbox, is_made);
    LookAtThreads(host, vms[i].pid, is_made);
  }
  for (size_t i = 0; i < count; i++) WriteState(host, &vms[i].sandbox);
}

static void SetLimits(const struct Host* host, const struct Vm* vm, const char* cpus,
                      const char* nodes) {
  const struct Sandbox* sandbox = &vm->sandbox;
  char shares[16];
  snprintf(shares, sizeof shares, "%d", 1024 * vm->vcpus);
  SetKnob(host, CPU, sandbox, "cpu.shares", "2048");
  SetKnob(host, CPU, sandbox, "vcpu/cpu.shares", shares);
  SetKnob(host, CPU, sandbox, "vcpu/cpu.cfs_quota_us", "200000");
  SetKnob(host, CPUSET, sandbox, "cpuset.cpus", cpus);
  SetKnob(host, CPUSET, sandbox, "vcpu/cpuset.cpus", cpus);
  SetKnob(host, CPUSET, sandbox, "cpuset.mems", nodes);
  SetKnob(host, CPUSET, sandbox, "vcpu/cpuset.mems", nodes);
}

// Returns the time of the slowest move, in microseconds.
static double Adopt(const struct Host* host, struct Vm* vms, size_t count, const char* cpus,
                    const char* nodes) {
  double slowest = 0;
  for (size_t i = 0; i < count; i++) {
    LockSandbox(&vms[i].sandbox);
    ReadState(&vms[i].sandbox);
  }
  AskAll(vms, count);
  LookAndWriteState(host, vms, count, 0);
  for (size_t i = 0; i < count; i++) MakeCgroups(host, &vms[i].sandbox);
  for (size_t i = 0; i < count; i++) SetLimits(host, &vms[i], cpus, nodes);
  for (size_t i = 0; i < count; i++) OpenMoves(host, &vms[i].sandbox);
  for (size_t i = 0; i < count; i++) {
    const double took = MoveAll(&vms[i].sandbox, vms[i].pid, vms[i].tids, vms[i].vcpus);
    if (took > slowest) slowest = took;
    CloseMoves(&vms[i].sandbox);
  }
  AskAll(vms, count);
  LookAndWriteState(host, vms, count, 1);
  for (size_t i = 0; i < count; i++) close(vms[i].sandbox.lock);
  return slowest;
}

int main(int argc, char** argv) {
  Check(argc == 5 + HIERARCHIES,
        "usage: floor-careful-adopt PARENT STATES CPU CPUACCT CPUSET CPUS NODES");
  RaiseFileLimit();
  struct Host host;
  OpenHost(&host, argv + 3, argv[2]);
  size_t count = 0;
  char** words = SplitWords(KeepLine(), " ", &count);
  struct Vm* vms = calloc(count, sizeof *vms);
  Check(vms != NULL, "calloc");
  for (size_t i = 0; i < count; i++) {
    char* path = NULL;
    vms[i].pid = strtol(words[i], &path, 10);
    vms[i].qmp = ConnectQmp(path + 1);
    char name[24];
    snprintf(name, sizeof name, "%zu", i);
    PrepareSandbox(&host, &vms[i].sandbox, argv[1], name);
  }
  AnswerReady();

  double slowest = 0;
  for (char* order; (order = ReadLine()) != NULL;) {
    if (strcmp(order, "also") == 0) {
      AnswerMicroseconds(slowest);
      continue;
    }
    const double start = NowMicroseconds();
    slowest = Adopt(&host, vms, count, argv[6], argv[7]);
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  return 0;
}
