// Runs PROGRAM without the libraries that LD_PRELOAD names. It is linked statically, so that they are not in it either.

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char** argv) {
  (void)argc;
  unsetenv("LD_PRELOAD");
  execv(PROGRAM, argv);
  perror(PROGRAM);
  return 127;
}
