import { errnoName, errnoText, QmpError } from '../errors'

/** So much of what a peer sent is quoted in a message. */
const QUOTED_BYTES = 64

const OWN_MONITOR =
  'give vmcg a monitor of its own: -qmp unix:PATH,server=on,wait=off (it may be given several times)'

/** connect(2) failed with this positive errno. */
export function connectError(path: string, errno: number): QmpError {
  const name = errnoName(errno)
  const details = { path, errno: -errno, syscall: 'connect' }
  switch (name) {
    case 'ENOENT':
      return new QmpError('ERR_VMCG_QMP_NO_SOCKET', `there is no QMP socket ${path}`, {
        ...details,
        hint: 'start QEMU with -qmp unix:PATH,server=on,wait=off, and pass that PATH',
      })
    case 'ECONNREFUSED':
      return new QmpError('ERR_VMCG_QMP_REFUSED', `nobody listens on ${path}`, {
        ...details,
        hint: 'the VMM that made this socket has ended, or the file is no socket',
      })
    case 'EAGAIN':
      return new QmpError('ERR_VMCG_QMP_IN_USE', `too many clients wait for the monitor on ${path}`, {
        ...details,
        hint: OWN_MONITOR,
      })
    default:
      return new QmpError(name, `cannot connect to ${path}: ${errnoText(errno)}`, {
        ...details,
        hint: name === 'EACCES' ? `connecting needs write access to the socket: ls -l ${path}` : undefined,
      })
  }
}

/**
 * connect(2) succeeds as long as the listen backlog has room, but QEMU greets one client at a time: a connection
 * without a greeting is waiting for another client to leave.
 */
export function noGreetingError(path: string, timeoutMs: number): QmpError {
  return new QmpError(
    'ERR_VMCG_QMP_IN_USE',
    `no QMP greeting on ${path} within ${timeoutMs} ms: another client holds this monitor, or the VMM is stopped`,
    { path, hint: OWN_MONITOR },
  )
}

export function timeoutError(path: string, command: string, timeoutMs: number): QmpError {
  return new QmpError('ERR_VMCG_QMP_TIMEOUT', `no answer to ${command} on ${path} within ${timeoutMs} ms`, {
    path,
    hint: 'the VMM is stopped, frozen, or throttled hard; the connection is closed, connect again',
  })
}

export function closedError(path: string, reason: string, cause?: unknown): QmpError {
  return new QmpError('ERR_VMCG_QMP_CLOSED', `the QMP connection to ${path} is closed: ${reason}`, {
    path,
    cause,
    hint: 'where the VMM still runs, connect() and attach() again',
  })
}

/** @param what completes "the peer sent ..." */
export function protocolError(path: string, what: string, bytes?: Buffer, cause?: unknown): QmpError {
  return new QmpError('ERR_VMCG_QMP_PROTOCOL', `the peer of ${path} sent ${what}${quoted(bytes)}`, {
    path,
    cause,
    hint: 'is this the socket of a QMP monitor? (-monitor, -serial and -chardev sockets speak something else)',
  })
}

function quoted(bytes: Buffer | undefined): string {
  if (bytes === undefined) return ''
  const text = JSON.stringify(bytes.subarray(0, QUOTED_BYTES).toString('latin1'))
  return bytes.length > QUOTED_BYTES ? `: ${text}...` : `: ${text}`
}

/** The VMM answered a command with an error. Carries QMP's own class beside the stable code. */
export class QmpCommandError extends QmpError {
  /** The command that was refused, such as `'device_add'`. */
  readonly command: string
  /** QMP's error class, such as `'GenericError'`, `'CommandNotFound'`, `'DeviceNotFound'`. */
  readonly class: string
  /** QMP's own words. */
  readonly desc: string

  constructor(path: string, command: string, errorClass: string, desc: string) {
    super('ERR_VMCG_QMP_COMMAND', `${command}: ${desc} (${errorClass})`, { path })
    this.command = command
    this.class = errorClass
    this.desc = desc
  }

  static {
    Object.defineProperty(QmpCommandError.prototype, 'name', {
      value: 'QmpCommandError',
      configurable: true,
      writable: true,
    })
  }
}
