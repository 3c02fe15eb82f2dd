// Says when it began, on the clock that the drivers take the start by: microseconds of
// CLOCK_MONOTONIC. With an argument it first waits for a byte on stdin and then executes itself
// without one: what a runtime's child does that is put into its cgroups from outside.

#include <stdio.h>
#include <unistd.h>

#include "c.h"

int main(int argc, char** argv) {
  const double now = NowMicroseconds();
  if (argc > 1) {
    char byte;
    Check(read(STDIN_FILENO, &byte, 1) == 1, "read");
    char* args[] = {argv[0], NULL};
    execv(argv[0], args);
    return 127;
  }
  printf("%.3f\n", now);
  return 0;
}
