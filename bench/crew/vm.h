// The threads of a stand-in for a VM.

#ifndef VMCG_BENCH_VM_H
#define VMCG_BENCH_VM_H

struct VmShape {
  int vcpus;
  int iothreads;
  int others;
};

struct Vm {
  int vcpus;
  int iothreads;
  // Of the vCPUs first, with room for those that are plugged in, then of the iothreads.
  long* tids;
  long* iothread_tids;
};

// Starts them all. Every thread waits until the process ends, but a vCPU that is unplugged.
struct Vm* StartVm(const struct VmShape* shape);

// One vCPU more, or the last one less, gone when this returns. Returns 0 where that cannot be.
int PlugVcpu(struct Vm* vm);
int UnplugVcpu(struct Vm* vm);

#endif
