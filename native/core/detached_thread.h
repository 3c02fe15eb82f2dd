#pragma once

namespace vmcg {

/**
 * Starts a thread that nobody joins. It takes no signals: those are for the application's own
 * threads. Returns an errno.
 */
int StartDetachedThread(const char* name, void* (*run)(void*), void* argument);

}  // namespace vmcg
