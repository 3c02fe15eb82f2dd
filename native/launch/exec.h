#pragma once

namespace vmcg::launch {

/** Gives every signal its default action and lets all of them through, as a new program expects. */
void ResetSignals();

/**
 * Becomes the program `arguments[0]`, looked up in PATH when it has no slash. A file that is no
 * program is ENOEXEC: unlike execvp(3), no shell is asked to make something of it.
 *
 * @returns the errno; only when it fails.
 */
int Execute(char* const* arguments);

}  // namespace vmcg::launch
