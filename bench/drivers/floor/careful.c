#include "careful.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MAX_KNOBS = 5, MAX_NAME = 256, MAX_THREADS = 4096, STATE_SIZE = 1400 };

static const char TAG[] = "trusted.vmcg";
static const char TAG_VALUE[] = "0123456789abcdef0123456789abcdef";

static const char* const KNOBS[HIERARCHIES][MAX_KNOBS] = {
    [CPU] = {"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.idle", "cpu.cfs_burst_us"},
    [CPUSET] = {"cpuset.cpus", "cpuset.mems"},
};

static int OpenBy(int folder, const char* path, int flags) {
  const int file = openat(folder, path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
  Check(file >= 0, path);
  return file;
}

// Opens below a root and never outside of it. Returns -1 where nothing is there.
static int OpenBeneath(int root, const char* path, int flags) {
  struct open_how how = {
      .flags = (unsigned)(flags | O_CLOEXEC),
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
  };
  const long file = syscall(SYS_openat2, root, path, &how, sizeof how);
  Check(file >= 0 || errno == ENOENT, path);
  return (int)file;
}

static int OpenFolder(int root, const char* path) {
  const int folder = OpenBeneath(root, path, O_RDONLY | O_DIRECTORY);
  Check(folder >= 0, path);
  return folder;
}

static int OpenToWrite(int root, const char* path) {
  const int file = OpenBeneath(root, path, O_WRONLY);
  Check(file >= 0, path);
  return file;
}

static void ReadToEnd(int file, const char* path) {
  char text[4096];
  ssize_t got = 0;
  do {
    got = read(file, text, sizeof text);
    Check(got >= 0, path);
  } while (got > 0);
  close(file);
}

void OpenHost(struct Host* host, char** mount_points, const char* states) {
  for (int i = 0; i < HIERARCHIES; i++) {
    host->roots[i] = OpenFile(mount_points[i], O_PATH | O_DIRECTORY);
  }
  host->proc = OpenFile("/proc", O_PATH | O_DIRECTORY);
  host->states = states;
}

void PrepareSandbox(const struct Host* host, struct Sandbox* sandbox, const char* parent,
                    const char* name) {
  const char* states = host->states;
  Check(snprintf(sandbox->path, MAX_PATH, "%s/%s", parent, name) < MAX_PATH, "a shorter path");
  Check(snprintf(sandbox->new_state_file, MAX_PATH, "%s/floor-careful-%s.json.new", states, name) <
            MAX_PATH,
        "a shorter path");
  snprintf(sandbox->state_file, MAX_PATH, "%s/floor-careful-%s.json", states, name);
  snprintf(sandbox->lock_file, MAX_PATH, "%s/floor-careful-%s.lock", states, name);
  WriteState(host, sandbox);
}

void LockSandbox(struct Sandbox* sandbox) {
  sandbox->lock = OpenBy(AT_FDCWD, sandbox->lock_file, O_RDWR | O_CREAT);
  Check(flock(sandbox->lock, LOCK_EX | LOCK_NB) == 0, "flock");
  struct stat held, there;
  Check(fstat(sandbox->lock, &held) == 0, "fstat");
  Check(lstat(sandbox->lock_file, &there) == 0, "lstat");
  Check(held.st_ino == there.st_ino, "the lock that has this name");
  char pid[16];
  WriteText(sandbox->lock, pid, (size_t)snprintf(pid, sizeof pid, "%-7d\n", (int)getpid()));
}

void ReadState(const struct Sandbox* sandbox) {
  ReadToEnd(OpenBy(AT_FDCWD, sandbox->state_file, O_RDONLY), sandbox->state_file);
}

void WriteState(const struct Host* host, const struct Sandbox* sandbox) {
  char state[STATE_SIZE];
  memset(state, ' ', sizeof state);
  const int folder = OpenFile(host->states, O_PATH | O_DIRECTORY);
  struct statfs kind;
  Check(fstatfs(folder, &kind) == 0, "fstatfs");
  close(OpenBeneath(folder, ".", O_PATH | O_DIRECTORY));
  const int again = OpenBeneath(folder, ".", O_PATH | O_DIRECTORY);
  const char* name = strrchr(sandbox->state_file, '/') + 1;
  const char* new_name = strrchr(sandbox->new_state_file, '/') + 1;
  const int file = OpenBy(again, new_name, O_WRONLY | O_CREAT | O_EXCL);
  WriteText(file, state, sizeof state);
  Check(fsync(file) == 0, "fsync");
  Check(renameat(again, new_name, again, name) == 0, "renameat");
  close(again);
  close(file);
  close(folder);
}

static void ListFolder(const char* path) {
  DIR* folder = opendir(path);
  Check(folder != NULL, path);
  while (readdir(folder) != NULL) continue;
  closedir(folder);
}

void LookAtProcess(long pid) {
  char path[MAX_NAME];
  snprintf(path, sizeof path, "/proc/%ld/task", pid);
  ListFolder(path);
}

static void LookAtFile(int folder, const char* name) {
  const int file = OpenBeneath(folder, name, O_RDONLY);
  if (file >= 0) ReadToEnd(file, name);
}

// What counts of the cgroups above, once those below are there.
static int IsReadAbove(const char* knob) {
  static const char* const knobs[] = {"cpu.cfs_quota_us", "cpu.cfs_period_us", "cpuset.cpus",
                                      "cpuset.mems"};
  for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++) {
    if (strcmp(knob, knobs[i]) == 0) return 1;
  }
  return 0;
}

enum Place { ABOVE_NEW, ABOVE, OWN };

static void LookAtCgroup(const struct Host* host, int hierarchy, const char* cgroup,
                         enum Place place) {
  const int folder = OpenBeneath(host->roots[hierarchy], cgroup, O_RDONLY | O_DIRECTORY);
  if (folder < 0) return;
  if (place == OWN) {
    char tag[MAX_NAME];
    Check(fgetxattr(folder, TAG, tag, sizeof tag) >= 0 || errno == ENODATA, cgroup);
  }
  for (int i = 0; i < MAX_KNOBS && KNOBS[hierarchy][i] != NULL; i++) {
    const char* knob = KNOBS[hierarchy][i];
    if (place != ABOVE || IsReadAbove(knob)) LookAtFile(folder, knob);
  }
  if (place == OWN) LookAtFile(folder, "tasks");
  close(folder);
}

void LookAtCgroups(const struct Host* host, const struct Sandbox* sandbox, int is_made) {
  const enum Place above = is_made ? ABOVE : ABOVE_NEW;
  char path[MAX_PATH + MAX_NAME];
  for (int i = 0; i < HIERARCHIES; i++) {
    LookAtCgroup(host, i, ".", above);
    for (const char* end = strchr(sandbox->path, '/'); end != NULL; end = strchr(end + 1, '/')) {
      snprintf(path, sizeof path, "%.*s", (int)(end - sandbox->path), sandbox->path);
      LookAtCgroup(host, i, path, above);
    }
    LookAtCgroup(host, i, sandbox->path, OWN);
    snprintf(path, sizeof path, "%s/vcpu", sandbox->path);
    LookAtCgroup(host, i, path, OWN);
  }
}

void LookAtThreads(const struct Host* host, long pid, int is_brief) {
  char path[MAX_NAME];
  snprintf(path, sizeof path, "%ld/task", pid);
  const int folder = OpenFolder(host->proc, path);
  DIR* list = fdopendir(fcntl(folder, F_DUPFD_CLOEXEC, 0));
  Check(list != NULL, path);
  static long tids[MAX_THREADS];
  int count = 0;
  for (const struct dirent* entry; (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    Check(count < MAX_THREADS, "fewer threads");
    tids[count++] = strtol(entry->d_name, NULL, 10);
  }
  closedir(list);
  for (int i = 0; i < count; i++) {
    if (is_brief && tids[i] != pid) continue;
    snprintf(path, sizeof path, "%ld/stat", tids[i]);
    ReadToEnd(OpenBy(folder, path, O_RDONLY), path);
  }
  close(folder);
}

static void TagCgroup(int root, const char* path) {
  const int folder = OpenFolder(root, path);
  Check(fsetxattr(folder, TAG, TAG_VALUE, sizeof TAG_VALUE - 1, 0) == 0, path);
  close(folder);
}

static void MakeCgroup(int root, const char* parent, const char* name) {
  const int above = OpenFolder(root, parent);
  Check(mkdirat(above, name, 0755) == 0, name);
  close(above);
  char path[MAX_PATH + MAX_NAME];
  snprintf(path, sizeof path, "%s/%s", parent, name);
  TagCgroup(root, path);
}

void MakeCgroups(const struct Host* host, const struct Sandbox* sandbox) {
  char parent[MAX_PATH];
  const char* name = strrchr(sandbox->path, '/');
  snprintf(parent, sizeof parent, "%.*s", (int)(name - sandbox->path), sandbox->path);
  for (int i = 0; i < HIERARCHIES; i++) {
    MakeCgroup(host->roots[i], parent, name + 1);
    MakeCgroup(host->roots[i], sandbox->path, "vcpu");
  }
}

void TagCgroups(const struct Host* host, const struct Sandbox* sandbox) {
  char leaf[MAX_PATH + MAX_NAME];
  snprintf(leaf, sizeof leaf, "%s/vcpu", sandbox->path);
  for (int i = 0; i < HIERARCHIES; i++) {
    TagCgroup(host->roots[i], sandbox->path);
    TagCgroup(host->roots[i], leaf);
  }
}

void SetKnob(const struct Host* host, int hierarchy, const struct Sandbox* sandbox,
             const char* name, const char* value) {
  char path[MAX_PATH + MAX_NAME];
  snprintf(path, sizeof path, "%s/%s", sandbox->path, name);
  const int file = OpenToWrite(host->roots[hierarchy], path);
  WriteText(file, value, strlen(value));
  close(file);
}

static double Move(int file, long id) {
  const double start = NowMicroseconds();
  WriteNumber(file, id);
  return NowMicroseconds() - start;
}

void OpenMoves(const struct Host* host, struct Sandbox* sandbox) {
  char path[MAX_PATH + MAX_NAME];
  for (int i = 0; i < HIERARCHIES; i++) {
    snprintf(path, sizeof path, "%s/cgroup.procs", sandbox->path);
    sandbox->processes[i] = OpenToWrite(host->roots[i], path);
  }
  for (int i = 0; i < HIERARCHIES; i++) {
    snprintf(path, sizeof path, "%s/vcpu/tasks", sandbox->path);
    sandbox->vcpus[i] = OpenToWrite(host->roots[i], path);
  }
}

double MoveAll(const struct Sandbox* sandbox, long pid, const long* tids, int vcpus) {
  double slowest = 0;
  for (int i = 0; i < HIERARCHIES; i++) {
    const double took = Move(sandbox->processes[i], pid);
    if (took > slowest) slowest = took;
  }
  for (int i = 0; i < HIERARCHIES; i++) {
    for (int j = 0; j < vcpus; j++) {
      const double took = Move(sandbox->vcpus[i], tids[j]);
      if (took > slowest) slowest = took;
    }
  }
  return slowest;
}

void CloseMoves(const struct Sandbox* sandbox) {
  for (int i = 0; i < HIERARCHIES; i++) {
    close(sandbox->processes[i]);
    close(sandbox->vcpus[i]);
  }
}
