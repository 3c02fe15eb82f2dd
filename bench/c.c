#include "c.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void Check(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

double NowMicroseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

char* ReadLine(void) {
  static char* line = NULL;
  static size_t size = 0;
  const ssize_t length = getline(&line, &size, stdin);
  if (length < 0) return NULL;
  if (length > 0 && line[length - 1] == '\n') line[length - 1] = '\0';
  return line;
}

char* KeepLine(void) {
  const char* line = ReadLine();
  Check(line != NULL, "a line on stdin");
  char* kept = strdup(line);
  Check(kept != NULL, "strdup");
  return kept;
}

void AnswerReady(void) {
  puts("ready");
  fflush(stdout);
}

void AnswerMicroseconds(double microseconds) {
  printf("%.3f\n", microseconds);
  fflush(stdout);
}

void RaiseFileLimit(void) {
  struct rlimit limit;
  Check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  Check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

char** SplitWords(char* line, const char* separators, size_t* count) {
  // No more words than bytes, and one for an empty line.
  char** words = calloc(strlen(line) + 1, sizeof *words);
  Check(words != NULL, "calloc");
  *count = 0;
  char* rest = NULL;
  for (char* word = strtok_r(line, separators, &rest); word != NULL;
       word = strtok_r(NULL, separators, &rest)) {
    words[(*count)++] = word;
  }
  return words;
}

int OpenFile(const char* path, int flags) {
  const int file = open(path, flags | O_CLOEXEC);
  Check(file >= 0, path);
  return file;
}

int OpenIn(const char* folder, const char* name, int flags) {
  char path[MAX_PATH];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return OpenFile(path, flags);
}

void WriteText(int file, const char* text, size_t length) {
  Check(write(file, text, length) == (ssize_t)length, text);
}

void WriteIn(const char* folder, const char* name, const char* text) {
  const int file = OpenIn(folder, name, O_WRONLY);
  WriteText(file, text, strlen(text));
  close(file);
}

void WriteNumber(int file, long number) {
  char text[24];
  WriteText(file, text, (size_t)snprintf(text, sizeof text, "%ld", number));
}
