// The floor for starting a process inside its cgroups, to its first own instruction after exec.
// `inside`: the child writes 0 to each `tasks` file before its exec, which takes no global lock.
// `helper`: it does so as another program, which shares nothing with its parent any more, and then
// executes the one that is meant. `outside`: the child waits, its parent writes the pid to each
// `cgroup.procs`, as container runtimes do. Arguments: which of them, the program `stamp`, the
// cgroups' folders.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "c.h"

enum How { INSIDE, HELPER, OUTSIDE };

static const char* const HOW[] = {[INSIDE] = "inside", [HELPER] = "helper", [OUTSIDE] = "outside"};

static void Become(const int* files, int count, char* stamp, enum How how) {
  char* args[MAX_HIERARCHIES + 3] = {stamp};
  char numbers[MAX_HIERARCHIES][16];
  if (how == OUTSIDE) args[1] = "wait";
  for (int i = 0; how == INSIDE && i < count; i++) WriteText(files[i], "0", 1);
  if (how == HELPER) args[1] = "enter";
  for (int i = 0; how == HELPER && i < count; i++) {
    // A copy stays open in the program that it becomes.
    snprintf(numbers[i], sizeof numbers[i], "%d", dup(files[i]));
    args[i + 2] = numbers[i];
  }
  execv(stamp, args);
  _exit(127);
}

static double Launch(const int* files, int count, char* stamp, enum How how) {
  int out[2], go[2];
  Check(pipe2(out, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0, "pipe2");
  const double start = NowMicroseconds();
  const pid_t child = fork();
  Check(child >= 0, "fork");
  if (child == 0) {
    dup2(go[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    Become(files, count, stamp, how);
  }
  for (int i = 0; how == OUTSIDE && i < count; i++) WriteNumber(files[i], child);
  if (how == OUTSIDE) WriteText(go[1], "\n", 1);
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
        "usage: floor-launch inside|helper|outside STAMP FOLDER...");
  enum How how = INSIDE;
  while (how < OUTSIDE && strcmp(argv[1], HOW[how]) != 0) how++;
  int files[MAX_HIERARCHIES];
  for (int i = 0; i < count; i++)
    files[i] = OpenIn(argv[i + 3], how == OUTSIDE ? "cgroup.procs" : "tasks", O_WRONLY);
  free(KeepLine());
  AnswerReady();
  while (ReadLine() != NULL) AnswerMicroseconds(Launch(files, count, argv[2], how));
  return 0;
}
