// The floor for starting a process inside its cgroups, to its first own instruction after exec.
// `inside`: the child writes 0 to each `tasks` file before its exec, which takes no global lock.
// `outside`: the child waits, its parent writes the pid to each `cgroup.procs`, as container
// runtimes do. Arguments: which of the two, the program `stamp`, the cgroups' folders.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "c.h"

static double Launch(const int* files, int count, char* stamp, int inside) {
  int out[2], go[2];
  Check(pipe2(out, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0, "pipe2");
  const double start = NowMicroseconds();
  const pid_t child = fork();
  Check(child >= 0, "fork");
  if (child == 0) {
    for (int i = 0; inside && i < count; i++) WriteText(files[i], "0", 1);
    dup2(go[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    char* args[] = {stamp, inside ? NULL : "wait", NULL};
    execv(stamp, args);
    _exit(127);
  }
  for (int i = 0; !inside && i < count; i++) WriteNumber(files[i], child);
  if (!inside) WriteText(go[1], "\n", 1);
  close(out[1]);
  char text[32] = "";
  Check(read(out[0], text, sizeof text - 1) > 0, "read the stamp");
  close(out[0]);
  close(go[0]);
  close(go[1]);
  int status;
  Check(waitpid(child, &status, 0) == child && status == 0, "waitpid");
  return strtod(text, NULL) - start;
}

int main(int argc, char** argv) {
  const int count = argc - 3;
  Check(count >= 1 && count <= MAX_HIERARCHIES,
        "usage: floor-launch inside|outside STAMP FOLDER...");
  const int inside = strcmp(argv[1], "inside") == 0;
  int files[MAX_HIERARCHIES];
  for (int i = 0; i < count; i++)
    files[i] = OpenIn(argv[i + 3], inside ? "tasks" : "cgroup.procs", O_WRONLY);
  free(KeepLine());
  AnswerReady();
  while (ReadLine() != NULL) AnswerMicroseconds(Launch(files, count, argv[2], inside));
  return 0;
}
