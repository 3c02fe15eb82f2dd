#pragma once

#include <string>

#include "fd.h"
#include "result.h"

namespace vmcg {

/**
 * Connects to the unix stream socket at `path`; the descriptor is non-blocking and close-on-exec.
 * ENAMETOOLONG for a path that does not fit `sun_path`, EAGAIN when the listener's queue is full.
 */
Result<Fd> ConnectUnix(const std::string& path);

/** Makes a unix stream socket at `path`, which must not exist, and listens there; close-on-exec. */
Result<Fd> ListenUnix(const std::string& path);

/**
 * The pid of the process that called listen(2) on the other end (unix(7), SO_PEERCRED); ESRCH when
 * it has none in this process's pid namespace.
 */
Result<int> PeerPid(int socket);

}  // namespace vmcg
