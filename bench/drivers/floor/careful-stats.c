// The floor for figures that are true: as `stats.c`, but what has a `+` before its path is opened
// for each reading and read to its end.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "c.h"

static unsigned long long sum = 0;
static char text[16384];

static void ReadNumbers(ssize_t length) {
  text[length] = '\0';
  for (char* at = text; *at != '\0';) {
    if (*at >= '0' && *at <= '9') {
      sum += strtoull(at, &at, 10);
    } else {
      at++;
    }
  }
}

static void ReadKept(int file) {
  const ssize_t length = pread(file, text, sizeof text - 1, 0);
  Check(length >= 0, "pread");
  ReadNumbers(length);
}

static void ReadAnew(const char* path) {
  const int file = OpenFile(path, O_RDONLY);
  for (;;) {
    const ssize_t length = read(file, text, sizeof text - 1);
    Check(length >= 0, "read");
    if (length == 0) break;
    ReadNumbers(length);
  }
  close(file);
}

int main(void) {
  RaiseFileLimit();
  size_t count = 0;
  char** paths = SplitWords(KeepLine(), " ", &count);
  int* files = calloc(count, sizeof *files);
  Check(files != NULL, "calloc");
  for (size_t i = 0; i < count; i++) {
    files[i] = paths[i][0] == '+' ? -1 : OpenFile(paths[i], O_RDONLY);
  }
  AnswerReady();

  while (ReadLine() != NULL) {
    const double start = NowMicroseconds();
    for (size_t i = 0; i < count; i++) {
      if (files[i] == -1) {
        ReadAnew(paths[i] + 1);
      } else {
        ReadKept(files[i]);
      }
    }
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  // So that no compiler leaves the reading of numbers out.
  return sum == 1;
}
