// The floor for a process's threads with their names and start times: the list, and for each thread
// one open, read and close of its `stat`. Argument: the pid. First line: how many threads it has.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "c.h"

struct Thread {
  long tid;
  char name[16];
  unsigned long long start_time;
};

static void ReadThread(int folder, const char* tid, struct Thread* thread) {
  char path[32], text[1024];
  snprintf(path, sizeof path, "%.16s/stat", tid);
  const int file = openat(folder, path, O_RDONLY | O_CLOEXEC);
  Check(file >= 0, path);
  const ssize_t length = read(file, text, sizeof text - 1);
  Check(length > 0, path);
  close(file);
  text[length] = '\0';
  const char* name = strchr(text, '(') + 1;
  const char* end = strrchr(text, ')');
  thread->tid = strtol(text, NULL, 10);
  snprintf(thread->name, sizeof thread->name, "%.*s", (int)(end - name), name);
  // Field 22 of proc_pid_stat(5); the name is field 2.
  const char* at = end + 1;
  for (int field = 3; field < 22; field++) at = strchr(at + 1, ' ');
  thread->start_time = strtoull(at, NULL, 10);
}

int main(int argc, char** argv) {
  Check(argc == 2, "usage: floor-enumerate PID");
  char path[64];
  snprintf(path, sizeof path, "/proc/%.16s/task", argv[1]);
  const size_t expected = strtoul(KeepLine(), NULL, 10);
  struct Thread* threads = calloc(expected, sizeof *threads);
  Check(threads != NULL, "calloc");
  AnswerReady();

  while (ReadLine() != NULL) {
    const double start = NowMicroseconds();
    DIR* list = opendir(path);
    Check(list != NULL, path);
    size_t count = 0;
    for (struct dirent* entry; (entry = readdir(list)) != NULL;) {
      if (entry->d_name[0] == '.') continue;
      errno = ERANGE;
      Check(count < expected, "as many threads as expected");
      ReadThread(dirfd(list), entry->d_name, &threads[count++]);
    }
    closedir(list);
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  free(threads);
  return 0;
}
