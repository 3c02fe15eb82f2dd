// The floor for moving threads that are given one by one: a kept descriptor and one write(2) per
// tid, with the text of the tids made beforehand. Whatever another driver takes beyond this is its
// own cost. The protocol is that of
// ../drivers/serve.mjs.

#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct Tid {
  const char* text;
  size_t length;
};

static void Check(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static double NowMicroseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int argc, char** argv) {
  Check(argc == 3, "usage: floor TASKS_FILE TASKS_FILE");
  const int files[] = {open(argv[1], O_WRONLY), open(argv[2], O_WRONLY)};
  Check(files[0] >= 0 && files[1] >= 0, "open");

  char* list = NULL;
  size_t size = 0;
  if (getline(&list, &size, stdin) < 0) return 0;
  struct Tid* tids = calloc(strlen(list), sizeof *tids);
  Check(tids != NULL, "calloc");
  size_t count = 0;
  for (char* word = strtok(list, " \n"); word != NULL; word = strtok(NULL, " \n")) {
    tids[count++] = (struct Tid){word, strlen(word)};
  }
  puts("ready");
  fflush(stdout);

  char order[8];
  while (fgets(order, sizeof order, stdin) != NULL) {
    const int file = files[order[0] == '1'];
    const double start = NowMicroseconds();
    for (size_t i = 0; i < count; i++) {
      Check(write(file, tids[i].text, tids[i].length) > 0, "write");
    }
    printf("%.3f\n", NowMicroseconds() - start);
    fflush(stdout);
  }
  free(tids);
  free(list);
  return 0;
}
