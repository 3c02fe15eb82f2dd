import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../engine/native'
import { errnoName, errnoText, QmpError } from '../errors'

const ID = 'vmcg-monitor'

/**
 * A QMP monitor for a QEMU that is yet to be started. It inherits a socket that listens already: it can be connected to
 * at once, without a race, and also when QEMU runs as a user who cannot reach the directory.
 */
export interface QemuMonitor {
  readonly socket: string
  /** To be handed to QEMU, and closed afterwards. */
  readonly fd: number
  /** Closes our copy of the descriptor. Safe to call twice. */
  release(): void
  /** Removes the socket with its directory. */
  remove(): void
}

/** @param directory as for {@link openMonitor}. */
export function monitorSocket(directory: string): string {
  return join(directory, 'qmp')
}

/**
 * @param directory made anew, for its owner only; what an earlier VMM has left there goes.
 * @throws QmpError the kernel's code: `ENAMETOOLONG` for a directory whose path is too long for a socket.
 */
export function openMonitor(directory: string): QemuMonitor {
  const remove = () => rmSync(directory, { recursive: true, force: true })
  remove()
  mkdirSync(directory, { mode: 0o700 })
  const socket = monitorSocket(directory)
  const fd = native().listenUnix(socket)
  if (fd < 0) {
    remove()
    throw new QmpError(errnoName(-fd), `cannot make the monitor's socket ${socket}: ${errnoText(-fd)}`, {
      errno: fd,
      syscall: 'bind',
      path: socket,
      hint: 'pass a stateDir with a shorter path',
    })
  }
  let isOpen = true
  return {
    socket,
    fd,
    release: () => {
      if (isOpen) native().closeFd(fd)
      isOpen = false
    },
    remove,
  }
}

/** @param fd the descriptor that QEMU has the monitor's socket as. */
export function monitorArguments(fd: number): readonly string[] {
  return [
    ...['-chardev', `socket,id=${ID},fd=${fd},server=on,wait=off`],
    ...['-mon', `chardev=${ID},mode=control`],
  ]
}

/** Whether these arguments have QEMU wait for `cont` by themselves. */
export function isStopped(args: readonly string[]): boolean {
  return args.some((arg) => arg === '-S' || arg === '--S')
}
