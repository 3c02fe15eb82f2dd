// libcgroup: the function that its own tools move a task with. Arguments: the trial (migrate), the
// controller, and the two cgroups. First line: the tids. Orders: 0 or 1, where to.

#include <libcgroup.h>
#include <stdlib.h>
#include <string.h>

#include "c.h"

static void CheckLibrary(int error, const char* what) {
  if (error == 0) return;
  Check(0, error == ECGOTHER ? what : cgroup_strerror(error));
}

static struct cgroup* CgroupIn(const char* path, char** controllers, int count) {
  struct cgroup* cgroup = cgroup_new_cgroup(path);
  Check(cgroup != NULL, path);
  for (int i = 0; i < count; i++)
    Check(cgroup_add_controller(cgroup, controllers[i]) != NULL, path);
  return cgroup;
}

static void Attach(struct cgroup* cgroup, const char* id) {
  CheckLibrary(cgroup_attach_task_pid(cgroup, (pid_t)strtol(id, NULL, 10)),
               "cgroup_attach_task_pid");
}

static void Migrate(char** ids, size_t count, char** args) {
  struct cgroup* cgroups[] = {CgroupIn(args[1], args, 1), CgroupIn(args[2], args, 1)};
  for (char* order; (order = ReadLine()) != NULL;) {
    struct cgroup* to = cgroups[order[0] == '1'];
    const double start = NowMicroseconds();
    for (size_t i = 0; i < count; i++) Attach(to, ids[i]);
    AnswerMicroseconds(NowMicroseconds() - start);
  }
}

int main(int argc, char** argv) {
  Check(argc == 5 && strcmp(argv[1], "migrate") == 0,
        "usage: libcgroup migrate CONTROLLER CGROUP CGROUP");
  CheckLibrary(cgroup_init(), "cgroup_init");
  size_t count = 0;
  char** ids = SplitWords(KeepLine(), " ", &count);
  AnswerReady();
  Migrate(ids, count, argv + 2);
  return 0;
}
