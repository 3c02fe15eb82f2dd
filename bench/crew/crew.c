// Stand-ins for VMs: processes with threads that wait, small enough for hundreds of them, and for
// one with tens of thousands. Arguments: how many VMs; of each, the vCPUs, iothreads and other
// threads; optionally the folder for their QMP sockets, `<number>.sock`. On stdin any line is
// answered by `pid:tid,tid...` of each VM, with its vCPUs' tids. They end with this program, which
// ends with its stdin.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "c.h"
#include "monitor.h"
#include "vm.h"

static void RunVm(int report, const struct VmShape* shape, const char* sockets, int number,
                  pid_t crew) {
  Check(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
  if (getppid() != crew) _exit(1);
  struct Vm* vm = StartVm(shape);
  char path[MAX_PATH] = "";
  if (sockets != NULL) snprintf(path, sizeof path, "%s/%d.sock", sockets, number);
  const int listener = sockets == NULL ? -1 : ListenForQmp(path);
  dprintf(report, "%d:", (int)getpid());
  for (int i = 0; i < vm->vcpus; i++) dprintf(report, i == 0 ? "%ld" : ",%ld", vm->tids[i]);
  dprintf(report, "\n");
  close(report);
  if (listener >= 0) ServeQmp(listener, vm);
  for (;;) pause();
}

int main(int argc, char** argv) {
  Check(argc == 5 || argc == 6, "usage: crew VMS VCPUS IOTHREADS OTHERS [SOCKETS_FOLDER]");
  const int count = atoi(argv[1]);
  const struct VmShape shape = {atoi(argv[2]), atoi(argv[3]), atoi(argv[4])};
  const pid_t crew = getpid();
  pid_t* pids = calloc((size_t)count, sizeof *pids);
  char** reports = calloc((size_t)count, sizeof *reports);
  Check(pids != NULL && reports != NULL, "calloc");
  while (ReadLine() != NULL) {
    for (int i = 0; i < count && pids[i] == 0; i++) {
      int report[2];
      Check(pipe(report) == 0, "pipe");
      pids[i] = fork();
      Check(pids[i] >= 0, "fork");
      if (pids[i] == 0) RunVm(report[1], &shape, argv[5], i, crew);
      close(report[1]);
      FILE* text = fdopen(report[0], "r");
      size_t size = 0;
      Check(text != NULL && getline(&reports[i], &size, text) > 0, "a VM that starts");
      fclose(text);
      reports[i][strcspn(reports[i], "\n")] = '\0';
    }
    for (int i = 0; i < count; i++) printf(i == 0 ? "%s" : " %s", reports[i]);
    printf("\n");
    fflush(stdout);
  }
  for (int i = 0; i < count && pids[i] > 0; i++) kill(pids[i], SIGKILL);
  while (wait(NULL) > 0) continue;
  return 0;
}
