#pragma once

namespace vmcg::launch {

/**
 * The steps that lead to the VMM. Each takes the text behind the `=` of its argument, does one
 * thing to this process, and returns 0 or an errno.
 */

/** Marks the status pipe, which this process got as `descriptor`, to close at the exec. */
int UseStatus(const char* descriptor);

/** Tells the other end of the status pipe, when there is one. */
void Tell(int step, int value);

/**
 * Tells the pid, as digits and a newline, to whoever listens at the unix socket of this path, and
 * waits for one byte: by then this process is where it is to be. ECANCELED when none comes.
 */
int WaitAt(const char* path);

/**
 * Goes on as a new process that is born in the v2 cgroup whose directory is open as `descriptor`,
 * with the same parent; this one ends. Where the kernel cannot do that (before 5.7, or behind a
 * seccomp filter) this process moves itself.
 */
int BeBornIn(const char* descriptor);

/** Moves this process, which has one thread, into the v1 cgroup whose `tasks` is `descriptor`. */
int Enter(const char* descriptor);

/** Closes every descriptor from this one on. */
int CloseFrom(const char* descriptor);

/** setsid(2). */
int BeginSession(const char* nothing);

/** `resource:soft:hard`, the resource by its number of <sys/resource.h>. */
int LimitResource(const char* limit);

int ChangeDirectory(const char* path);

/** Supplementary groups, with commas; the empty text is none. */
int SetGroups(const char* groups);
int SetGroup(const char* group);
int SetUser(const char* user);

}  // namespace vmcg::launch
