#include "monitor.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "c.h"

enum { MAX_CLIENTS = 32, MAX_COMMAND = 4096 };

struct Client {
  size_t length;
  char text[MAX_COMMAND];
};

static const char GREETING[] =
    "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":0},\"package\":\"\"},"
    "\"capabilities\":[]}}\r\n";

int ListenForQmp(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  Check(strlen(path) < sizeof address.sun_path, "a shorter path for the socket");
  strcpy(address.sun_path, path);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Check(bind(listener, (struct sockaddr*)&address, sizeof address) == 0, path);
  Check(listen(listener, MAX_CLIENTS) == 0, "listen");
  return listener;
}

static int Is(const char* command, const char* name) {
  char member[64];
  snprintf(member, sizeof member, "\"execute\":\"%s\"", name);
  return strstr(command, member) != NULL;
}

static void WriteVcpus(FILE* out, const struct Vm* vm) {
  fputc('[', out);
  for (int i = 0; i < vm->vcpus; i++) {
    fprintf(
        out,
        "%s{\"thread-id\":%ld,\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":%d},"
        "\"qom-path\":\"/machine/unattached/device[%d]\",\"cpu-index\":%d,\"target\":\"x86_64\"}",
        i == 0 ? "" : ",", vm->tids[i], i, i, i);
  }
  fputc(']', out);
}

static void WriteIothreads(FILE* out, const struct Vm* vm) {
  fputc('[', out);
  for (int i = 0; i < vm->iothreads; i++) {
    fprintf(out, "%s{\"thread-id\":%ld,\"id\":\"io%d\"}", i == 0 ? "" : ",", vm->iothread_tids[i],
            i);
  }
  fputc(']', out);
}

// Returns 0 for a command that is refused.
static int WriteResult(FILE* out, const char* command, struct Vm* vm) {
  if (Is(command, "device_add") && !PlugVcpu(vm)) return 0;
  if (Is(command, "device_del") && !UnplugVcpu(vm)) return 0;
  fputs("\"return\":", out);
  if (Is(command, "query-cpus-fast")) {
    WriteVcpus(out, vm);
  } else if (Is(command, "query-iothreads")) {
    WriteIothreads(out, vm);
  } else if (Is(command, "query-status")) {
    fputs("{\"running\":true,\"status\":\"running\"}", out);
  } else {
    fputs("{}", out);
  }
  return 1;
}

static void Answer(int socket, const char* command, struct Vm* vm) {
  char* text = NULL;
  size_t size = 0;
  FILE* out = open_memstream(&text, &size);
  Check(out != NULL, "open_memstream");
  fputc('{', out);
  if (!WriteResult(out, command, vm)) {
    fputs("\"error\":{\"class\":\"GenericError\",\"desc\":\"no such vCPU\"}", out);
  }
  const char* id = strstr(command, "\"id\":");
  if (id != NULL) fprintf(out, ",\"id\":%ld", strtol(id + 5, NULL, 10));
  fputs("}\r\n", out);
  fclose(out);
  // A client that has gone is noticed at the next poll.
  send(socket, text, size, MSG_NOSIGNAL);
  free(text);
}

// Returns 0 when the client has gone.
static int Serve(int socket, struct Client* client, struct Vm* vm) {
  const ssize_t got = read(socket, client->text + client->length, MAX_COMMAND - 1 - client->length);
  if (got <= 0) return 0;
  client->length += (size_t)got;
  client->text[client->length] = '\0';
  for (char* end; (end = strchr(client->text, '\n')) != NULL;) {
    *end = '\0';
    Answer(socket, client->text, vm);
    client->length -= (size_t)(end + 1 - client->text);
    memmove(client->text, end + 1, client->length + 1);
  }
  return 1;
}

void ServeQmp(int listener, struct Vm* vm) {
  static struct Client clients[MAX_CLIENTS];
  struct pollfd sockets[MAX_CLIENTS + 1] = {{.fd = listener, .events = POLLIN}};
  int count = 0;
  for (;;) {
    // A listener that has no room for a client is not polled.
    sockets[0].fd = count < MAX_CLIENTS ? listener : -1;
    Check(poll(sockets, (nfds_t)count + 1, -1) > 0, "poll");
    for (int i = count; i > 0; i--) {
      if (sockets[i].revents == 0 || Serve(sockets[i].fd, &clients[i - 1], vm)) continue;
      close(sockets[i].fd);
      sockets[i] = sockets[count];
      clients[i - 1] = clients[count - 1];
      count--;
    }
    if (sockets[0].revents == 0) continue;
    const int socket = accept(listener, NULL, NULL);
    Check(socket >= 0, "accept");
    clients[count] = (struct Client){.length = 0};
    count++;
    sockets[count] = (struct pollfd){.fd = socket, .events = POLLIN};
    send(socket, GREETING, sizeof GREETING - 1, MSG_NOSIGNAL);
  }
}
