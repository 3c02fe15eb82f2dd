// The floor for a device rule set of cgroup v1: one write per rule that differs, to kept
// descriptors. Argument: the cgroup's folder. First line: two lists, separated by `|`, of writes
// separated by `,`, each `+rule` to devices.allow or `-rule` to devices.deny. Orders: 0 or 1, which
// list.

#include <fcntl.h>
#include <string.h>

#include "c.h"

struct List {
  char** writes;
  size_t count;
};

int main(int argc, char** argv) {
  Check(argc == 2, "usage: floor-devices FOLDER");
  const int allow = OpenIn(argv[1], "devices.allow", O_WRONLY);
  const int deny = OpenIn(argv[1], "devices.deny", O_WRONLY);
  char* first = KeepLine();
  char* second = strchr(first, '|');
  Check(second != NULL, "two lists");
  *second++ = '\0';
  struct List lists[2];
  lists[0].writes = SplitWords(first, ",", &lists[0].count);
  lists[1].writes = SplitWords(second, ",", &lists[1].count);
  AnswerReady();

  for (char* order; (order = ReadLine()) != NULL;) {
    const struct List* list = &lists[order[0] == '1'];
    const double start = NowMicroseconds();
    for (size_t i = 0; i < list->count; i++) {
      const char* write = list->writes[i];
      WriteText(write[0] == '+' ? allow : deny, write + 1, strlen(write + 1));
    }
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  return 0;
}
