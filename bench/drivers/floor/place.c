// The floor for placing a VM whose cgroups are there: in each hierarchy one write of the pid to the
// sandbox, then one of each vCPU's tid to its leaf, with all descriptors open before the first.
// Arguments: the sandbox's folder in each hierarchy. First line: the pid and the vCPUs' tids.

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "c.h"

int main(int argc, char** argv) {
  const int folders = argc - 1;
  Check(folders >= 1 && folders <= MAX_HIERARCHIES, "usage: floor-place FOLDER...");
  char* list = KeepLine();
  size_t count = 0;
  char** ids = SplitWords(list, " ", &count);
  Check(count >= 1, "a pid");
  size_t lengths[count];
  for (size_t i = 0; i < count; i++) lengths[i] = strlen(ids[i]);
  AnswerReady();

  while (ReadLine() != NULL) {
    int sandboxes[MAX_HIERARCHIES], leaves[MAX_HIERARCHIES];
    const double start = NowMicroseconds();
    for (int i = 0; i < folders; i++) {
      sandboxes[i] = OpenIn(argv[i + 1], "cgroup.procs", O_WRONLY);
      leaves[i] = OpenIn(argv[i + 1], "vcpu/tasks", O_WRONLY);
    }
    for (int i = 0; i < folders; i++) {
      WriteText(sandboxes[i], ids[0], lengths[0]);
      for (size_t j = 1; j < count; j++) WriteText(leaves[i], ids[j], lengths[j]);
    }
    for (int i = 0; i < folders; i++) {
      close(sandboxes[i]);
      close(leaves[i]);
    }
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  return 0;
}
