#include "qmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "c.h"

enum { MAX_ANSWER = 1 << 16 };

static const char THREAD_KEY[] = "\"thread-id\":";

// Each answer is a line.
static void ReadAnswers(int socket, char* answer, int lines) {
  size_t length = 0;
  while (lines > 0) {
    Check(length < MAX_ANSWER - 1, "a shorter answer over QMP");
    const ssize_t got = read(socket, answer + length, MAX_ANSWER - 1 - length);
    Check(got > 0, "read QMP");
    for (ssize_t i = 0; i < got; i++) lines -= answer[length + (size_t)i] == '\n';
    length += (size_t)got;
  }
  answer[length] = '\0';
}

int ConnectQmp(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  const int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Check(connect(connection, (struct sockaddr*)&address, sizeof address) == 0, path);
  char answer[MAX_ANSWER];
  ReadAnswers(connection, answer, 1);
  static const char negotiate[] = "{\"execute\":\"qmp_capabilities\"}\n";
  WriteText(connection, negotiate, sizeof negotiate - 1);
  ReadAnswers(connection, answer, 1);
  return connection;
}

void AskVcpus(int socket) {
  static const char question[] = "{\"execute\":\"query-cpus-fast\"}\n";
  WriteText(socket, question, sizeof question - 1);
}

void AskThreads(int socket) {
  AskVcpus(socket);
  static const char question[] = "{\"execute\":\"query-iothreads\"}\n";
  WriteText(socket, question, sizeof question - 1);
}

static int VcpusOf(const char* answer, long* tids) {
  int count = 0;
  for (const char* at = answer; count < MAX_VCPUS && (at = strstr(at, THREAD_KEY)) != NULL;) {
    at += sizeof THREAD_KEY - 1;
    tids[count++] = strtol(at, NULL, 10);
    // The member of the same name inside `props` is the CPU's place in the guest's topology.
    at = strstr(at, "\"props\":");
    Check(at != NULL, "props");
    at = strchr(at, '}');
    Check(at != NULL, "props that end");
  }
  return count;
}

int TakeVcpus(int socket, long* tids) {
  char answer[MAX_ANSWER];
  ReadAnswers(socket, answer, 1);
  return VcpusOf(answer, tids);
}

int TakeThreads(int socket, long* tids) {
  char answers[MAX_ANSWER];
  ReadAnswers(socket, answers, 2);
  *strchr(answers, '\n') = '\0';
  return VcpusOf(answers, tids);
}
