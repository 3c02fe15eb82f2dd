// The QMP monitor of a stand-in: what vmcg asks of QEMU, and vCPUs that come and go.

#ifndef VMCG_BENCH_MONITOR_H
#define VMCG_BENCH_MONITOR_H

#include "vm.h"

int ListenForQmp(const char* path);

// Answers any number of clients, for ever. Unlike QEMU's, one socket serves many: each driver of
// the bench keeps a connection of its own.
void ServeQmp(int listener, struct Vm* vm);

#endif
