// The floor for a vCPU that was plugged in: asks the VM, and writes the tid that is new to each
// leaf, whose descriptors are kept. Arguments: the leaves' `tasks` files. First line: `pid:socket`.

#include <fcntl.h>
#include <string.h>

#include "c.h"
#include "qmp.h"

int main(int argc, char** argv) {
  const int leaves = argc - 1;
  Check(leaves >= 1 && leaves <= MAX_HIERARCHIES, "usage: floor-hotplug TASKS_FILE...");
  int files[MAX_HIERARCHIES];
  for (int i = 0; i < leaves; i++) files[i] = OpenFile(argv[i + 1], O_WRONLY);
  const char* socket = strchr(KeepLine(), ':');
  Check(socket != NULL, "pid:socket");
  const int qmp = ConnectQmp(socket + 1);
  AnswerReady();

  long tids[MAX_VCPUS];
  while (ReadLine() != NULL) {
    const double start = NowMicroseconds();
    AskVcpus(qmp);
    // The newest is the last that the VM names.
    const int count = TakeVcpus(qmp, tids);
    Check(count > 0, "a vCPU");
    for (int i = 0; i < leaves; i++) WriteNumber(files[i], tids[count - 1]);
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  return 0;
}
