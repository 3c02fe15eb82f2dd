// Just enough of QMP to ask a VM for its vCPUs.

#ifndef VMCG_BENCH_QMP_H
#define VMCG_BENCH_QMP_H

// Connects and negotiates.
int ConnectQmp(const char* path);

// Asks for the vCPUs; the answer is left on the socket, so that many VMs can be asked first.
void AskVcpus(int socket);

// Takes that answer. Returns how many tids there are, at most MAX_VCPUS.
int TakeVcpus(int socket, long* tids);

// The same with the iothreads, whose answer is only waited for.
void AskThreads(int socket);
int TakeThreads(int socket, long* tids);

#endif
