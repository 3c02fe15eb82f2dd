import { Socket } from 'node:net'
import { native } from '../engine/native'
import { QmpError } from '../errors'
import { quote, short } from '../model/quote'
import { connectError } from './qmp-errors'

/** `sun_path` of unix(7) has 108 bytes, the last of them NUL. */
const MAX_PATH_BYTES = 107

export interface UnixConnection {
  readonly socket: Socket
  /**
   * The process that called listen() on the other end, or 0 where that is not to be known (it lives in a pid
   * namespace that cannot be seen from here). Source: unix(7), SO_PEERCRED.
   */
  readonly peerPid: number
}

/**
 * Connects to a unix stream socket. Like every open connection it keeps the process alive until it is destroyed.
 *
 * The addon connects, since Node has no way to get at a peer's credentials, and cuts a long path short.
 *
 * @throws QmpError `ERR_VMCG_INVALID_ARGUMENT` for a path that fits no socket address, `ERR_VMCG_QMP_NO_SOCKET`,
 * `ERR_VMCG_QMP_REFUSED`, `ERR_VMCG_QMP_IN_USE` (too many clients wait already), or the kernel's own name (`'EACCES'`)
 */
export function connectUnixSocket(path: string): UnixConnection {
  checkPath(path)
  const fd = native().connectUnix(path)
  if (fd < 0) throw connectError(path, -fd)
  const peerPid = Math.max(native().peerPid(fd), 0)
  try {
    return { socket: new Socket({ fd, readable: true, writable: true }), peerPid }
  } catch (error) {
    native().closeFd(fd)
    throw error
  }
}

function checkPath(path: unknown): asserts path is string {
  if (typeof path !== 'string') {
    throw new QmpError('ERR_VMCG_INVALID_ARGUMENT', `a socket is a path, not ${quote(path)}`, {
      value: short(path),
      hint: "pass { socket: PATH }, the PATH of QEMU's -qmp unix:PATH,server=on,wait=off",
    })
  }
  if (path === '' || path.includes('\0')) {
    throw new QmpError('ERR_VMCG_INVALID_ARGUMENT', 'a socket path is empty or holds a NUL', { value: path })
  }
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_PATH_BYTES) {
    throw new QmpError(
      'ERR_VMCG_INVALID_ARGUMENT',
      `the socket path has ${bytes} bytes, and the kernel takes at most ${MAX_PATH_BYTES}`,
      {
        path,
        hint: 'make a symbolic link with a short name to its directory, and pass the path through that',
      },
    )
  }
}
