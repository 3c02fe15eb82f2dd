// The floor for moving threads that are given one by one: a kept descriptor and one write(2) per
// tid, with the text of the tids made beforehand. Whatever another driver takes beyond this is its
// own cost. Arguments: the two files that take the threads. Orders: 0 or 1, where to.

#include <fcntl.h>
#include <string.h>

#include "c.h"

int main(int argc, char** argv) {
  Check(argc == 3, "usage: floor-migrate THREADS_FILE THREADS_FILE");
  const int files[] = {OpenFile(argv[1], O_WRONLY), OpenFile(argv[2], O_WRONLY)};

  char* list = KeepLine();
  size_t count = 0;
  char** tids = SplitWords(list, " ", &count);
  size_t lengths[count];
  for (size_t i = 0; i < count; i++) lengths[i] = strlen(tids[i]);
  AnswerReady();

  for (char* order; (order = ReadLine()) != NULL;) {
    const int file = files[order[0] == '1'];
    const double start = NowMicroseconds();
    for (size_t i = 0; i < count; i++) WriteText(file, tids[i], lengths[i]);
    AnswerMicroseconds(NowMicroseconds() - start);
  }
  return 0;
}
