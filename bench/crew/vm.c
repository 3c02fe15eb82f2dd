#include "vm.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "c.h"

enum { MAX_PLUGGED = 16 };

struct Thread {
  char name[16];
  long tid;
  sem_t is_started;
};

// The vCPUs that were plugged in, and where each of them waits for its end.
static pthread_t plugged[MAX_PLUGGED];
static sem_t ends[MAX_PLUGGED];
static int plugged_count = 0;

// Threads of a VM have run on all CPUs. To move one that was last on another CPU than the mover's
// costs v2 an interrupt there (perf_cgroup_attach), which would else depend on where all of them
// happened to begin.
static void GoToNextCpu(void) {
  static int next = 0;
  cpu_set_t allowed, one;
  Check(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
  int skipped = next++ % CPU_COUNT(&allowed);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed) || skipped-- > 0) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  Check(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
  Check(sched_setaffinity(0, sizeof allowed, &allowed) == 0, "sched_setaffinity");
}

static void SayStarted(struct Thread* thread) {
  GoToNextCpu();
  pthread_setname_np(pthread_self(), thread->name);
  thread->tid = syscall(SYS_gettid);
  sem_post(&thread->is_started);
}

static void* WaitForever(void* argument) {
  SayStarted(argument);
  for (;;) pause();
  return NULL;
}

static void* WaitForEnd(void* argument) {
  sem_t* end = &ends[plugged_count];
  SayStarted(argument);
  while (sem_wait(end) != 0) continue;
  return NULL;
}

static long StartThread(pthread_t* id, const char* format, int number, void* (*body)(void*)) {
  struct Thread thread;
  snprintf(thread.name, sizeof thread.name, format, number);
  sem_init(&thread.is_started, 0, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  // Tens of thousands of them fit: stacks as small as they can be, side by side in one mapping.
  pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
  pthread_attr_setguardsize(&attributes, 0);
  errno = pthread_create(id, &attributes, body, &thread);
  Check(errno == 0, "pthread_create");
  pthread_attr_destroy(&attributes);
  while (sem_wait(&thread.is_started) != 0) continue;
  sem_destroy(&thread.is_started);
  return thread.tid;
}

struct Vm* StartVm(const struct VmShape* shape) {
  struct Vm* vm = calloc(1, sizeof *vm);
  Check(vm != NULL, "calloc");
  vm->tids = calloc((size_t)(shape->vcpus + MAX_PLUGGED), sizeof *vm->tids);
  vm->iothread_tids = calloc((size_t)shape->iothreads + 1, sizeof *vm->iothread_tids);
  Check(vm->tids != NULL && vm->iothread_tids != NULL, "calloc");
  pthread_t id;
  for (int i = 0; i < shape->vcpus; i++)
    vm->tids[i] = StartThread(&id, "CPU %d/KVM", i, WaitForever);
  for (int i = 0; i < shape->iothreads; i++)
    vm->iothread_tids[i] = StartThread(&id, "IO io%d", i, WaitForever);
  for (int i = 0; i < shape->others; i++) StartThread(&id, "worker %d", i, WaitForever);
  vm->vcpus = shape->vcpus;
  vm->iothreads = shape->iothreads;
  return vm;
}

int PlugVcpu(struct Vm* vm) {
  if (plugged_count == MAX_PLUGGED) return 0;
  sem_init(&ends[plugged_count], 0, 0);
  vm->tids[vm->vcpus] = StartThread(&plugged[plugged_count], "CPU %d/KVM", vm->vcpus, WaitForEnd);
  vm->vcpus++;
  plugged_count++;
  return 1;
}

int UnplugVcpu(struct Vm* vm) {
  if (plugged_count == 0) return 0;
  plugged_count--;
  vm->vcpus--;
  sem_post(&ends[plugged_count]);
  pthread_join(plugged[plugged_count], NULL);
  sem_destroy(&ends[plugged_count]);
  return 1;
}
