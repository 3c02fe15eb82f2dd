// What every C program of the bench has: the protocol of drivers/serve.mjs, a clock, and one way to
// fail.

#ifndef VMCG_BENCH_C_H
#define VMCG_BENCH_C_H

#include <stddef.h>

enum { MAX_HIERARCHIES = 16, MAX_VCPUS = 256, MAX_PATH = 4096 };

// Ends the program with what errno says, unless it holds.
void Check(int holds, const char* what);

double NowMicroseconds(void);

// The next line of stdin without its newline, valid until the one after it; NULL at the end.
char* ReadLine(void);

// The same, but it has to be there, and is the caller's to free.
char* KeepLine(void);

// Answers one line.
void AnswerReady(void);
void AnswerMicroseconds(double microseconds);

// Descriptors for thousands of files need more than the usual soft limit.
void RaiseFileLimit(void);

// The words of a line, split in place. The list is the caller's to free.
char** SplitWords(char* line, const char* separators, size_t* count);

int OpenFile(const char* path, int flags);
int OpenIn(const char* folder, const char* name, int flags);
void WriteText(int file, const char* text, size_t length);
void WriteIn(const char* folder, const char* name, const char* text);
void WriteNumber(int file, long number);

#endif
