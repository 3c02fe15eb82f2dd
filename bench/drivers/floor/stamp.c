// Says when it began, on the clock that the drivers take the start by: microseconds of
// CLOCK_MONOTONIC. With arguments it first does something else, and then executes itself without
// any. `wait`: waits for a byte on stdin, as a runtime's child that is put into its cgroups from
// outside. `enter DESCRIPTOR...`: enters the cgroups whose `tasks` these are, as a helper does.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "c.h"

int main(int argc, char** argv) {
  const double now = NowMicroseconds();
  if (argc > 1) {
    if (strcmp(argv[1], "enter") == 0) {
      for (int i = 2; i < argc; i++) WriteText((int)strtol(argv[i], NULL, 10), "0", 1);
    } else {
      char byte;
      Check(read(STDIN_FILENO, &byte, 1) == 1, "read");
    }
    char* args[] = {argv[0], NULL};
    execv(argv[0], args);
    return 127;
  }
  printf("%.3f\n", now);
  return 0;
}
