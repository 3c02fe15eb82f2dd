import { SystemdError, type VmcgErrorDetails } from '../errors'
import type { BusAddress } from './bus-address'

const WITHOUT_SYSTEMD = "leave systemd out: pass a cgroupfs path such as /vc/sandbox1, or driver: 'cgroupfs'"

/** An answer that says no. `code` is `ERR_VMCG_DBUS_CALL` unless the refusal has a code of its own. */
export class BusReplyError extends SystemdError {
  /** D-Bus' own name of the error, such as `'org.freedesktop.systemd1.UnitExists'`. */
  readonly dbusName: string
  /** What the peer said about it, in its own words. */
  readonly text: string

  constructor(code: string, message: string, dbusName: string, text: string, details: VmcgErrorDetails) {
    super(code, message, details)
    this.dbusName = dbusName
    this.text = text
  }

  static {
    Object.defineProperty(BusReplyError.prototype, 'name', {
      value: 'BusReplyError',
      configurable: true,
      writable: true,
    })
  }
}

export function hasCode(error: unknown, code: string): error is SystemdError {
  return error instanceof SystemdError && error.code === code
}

/**
 * True for what passes by itself, and has done nothing: a limit of the bus or of systemd, and a systemd that is off the
 * bus for a moment, as in a daemon-reexec.
 */
export function isPassing(error: unknown): error is SystemdError {
  return hasCode(error, 'ERR_VMCG_DBUS_LIMIT') || hasCode(error, 'ERR_VMCG_SYSTEMD_MISSING')
}

/** True for an error reply of this name. */
export function isReply(error: unknown, ...dbusNames: readonly string[]): error is BusReplyError {
  return error instanceof BusReplyError && dbusNames.includes(error.dbusName)
}

function shown({ socket }: BusAddress): string {
  return socket.replace('\0', '@')
}

/** @param what completes "no answer to ...". */
export function timeoutError(what: string, timeoutMs: number): SystemdError {
  return new SystemdError('ERR_VMCG_DBUS_TIMEOUT', `no answer to ${what} within ${timeoutMs} ms`, {
    hint: 'systemd or the bus is busy or stopped (systemctl list-jobs; journalctl -b _PID=1); then try again',
  })
}

/** @param reason completes "the connection is closed: ...". */
export function closedError(address: BusAddress, reason: string, cause?: unknown): SystemdError {
  const socket = shown(address)
  return new SystemdError('ERR_VMCG_DBUS_CLOSED', `the D-Bus connection to ${socket} is closed: ${reason}`, {
    path: socket,
    cause,
    hint: 'the next call connects again; where it keeps failing: systemctl status dbus',
  })
}

/** No bus could be reached, since none is there. */
export function noSocketError(addresses: readonly BusAddress[]): SystemdError {
  const sockets = addresses.map(shown).join(', ')
  const isUser = sockets.includes('/user/')
  return new SystemdError(
    'ERR_VMCG_DBUS_NO_SOCKET',
    `there is no D-Bus socket to reach systemd: ${sockets}`,
    {
      path: addresses[0] && shown(addresses[0]),
      hint: isUser
        ? `give the user a systemd of its own (loginctl enable-linger USER) and set XDG_RUNTIME_DIR=/run/user/UID; or ${WITHOUT_SYSTEMD}`
        : WITHOUT_SYSTEMD,
    },
  )
}

interface SystemError {
  readonly code?: unknown
  readonly errno?: unknown
  readonly syscall?: unknown
  readonly message: string
}

/** What ended a connection before it was of use. The kernel's own name is the code where we have none. */
export function connectError(address: BusAddress, cause: SystemError): SystemdError {
  const socket = shown(address)
  const { code, errno, syscall } = cause
  if (typeof code !== 'string' || typeof errno !== 'number') return notLetInError(socket, cause)
  if (syscall !== 'connect') return closedError(address, cause.message, cause)
  const details = { path: socket, errno, syscall, cause }
  switch (code) {
    case 'ENOENT':
      return noSocketError([address])
    case 'ECONNREFUSED':
      return new SystemdError('ERR_VMCG_DBUS_REFUSED', `nobody listens on ${socket}`, {
        ...details,
        hint: 'the bus has ended: systemctl restart dbus.socket dbus.service',
      })
    case 'EAGAIN':
      return new SystemdError('ERR_VMCG_DBUS_LIMIT', `too many clients wait to be let in on ${socket}`, {
        ...details,
        hint: 'the bus does not keep up: try again later, and with fewer at a time',
      })
    default:
      return new SystemdError(code, `cannot connect to ${socket}: ${cause.message}`, {
        ...details,
        hint: code === 'EACCES' ? `connecting needs write access to the socket: ls -l ${socket}` : undefined,
      })
  }
}

/** The peer answered, and did not take EXTERNAL: the credentials of the socket. */
function notLetInError(socket: string, cause: unknown): SystemdError {
  return new SystemdError(
    'ERR_VMCG_DBUS_REFUSED',
    `the bus on ${socket} lets user ${process.geteuid?.()} not in`,
    {
      path: socket,
      cause,
      hint: 'a bus serves the users that its configuration lets in; in a user namespace the ids must be known outside',
    },
  )
}

/**
 * Error replies that mean the same to us, whoever sends them. sd-bus names an errno `System.Error.<errno>`.
 *
 * Source: dbus, dbus/dbus-protocol.h; systemd, src/libsystemd/sd-bus/bus-error.c and src/core/dbus.c (polkit).
 */
const MEANINGS: Readonly<Record<string, readonly string[]>> = {
  ERR_VMCG_SYSTEMD_DENIED: [
    'org.freedesktop.DBus.Error.AccessDenied',
    'org.freedesktop.DBus.Error.AuthFailed',
    'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired',
    'System.Error.EACCES',
    'System.Error.EPERM',
  ],
  ERR_VMCG_DBUS_LIMIT: [
    'org.freedesktop.DBus.Error.LimitsExceeded',
    'org.freedesktop.DBus.Error.NoMemory',
    'System.Error.EAGAIN',
  ],
  ERR_VMCG_SYSTEMD_MISSING: [
    'org.freedesktop.DBus.Error.NameHasNoOwner',
    'org.freedesktop.DBus.Error.ServiceUnknown',
    // The bus tries to start it, which is not how systemd is started.
    'org.freedesktop.DBus.Error.Spawn.ChildExited',
    'org.freedesktop.DBus.Error.Spawn.ExecFailed',
    'org.freedesktop.DBus.Error.Spawn.ServiceNotFound',
  ],
  // systemd left the bus before it answered, as it does for a moment in a daemon-reexec.
  ERR_VMCG_DBUS_CLOSED: ['org.freedesktop.DBus.Error.NoReply', 'org.freedesktop.DBus.Error.Disconnected'],
  ERR_VMCG_DBUS_TIMEOUT: [
    'org.freedesktop.DBus.Error.TimedOut',
    'org.freedesktop.DBus.Error.Timeout',
    'System.Error.ETIMEDOUT',
  ],
}

const HINTS: Readonly<Record<string, string>> = {
  ERR_VMCG_SYSTEMD_DENIED:
    'run it as root; or, as a user, with the systemd of that user; or let polkit allow org.freedesktop.systemd1.manage-units',
  ERR_VMCG_DBUS_LIMIT:
    'the bus or systemd is at a limit of its own: try again later, and with fewer at a time',
  ERR_VMCG_SYSTEMD_MISSING: `no systemd is on this bus; ${WITHOUT_SYSTEMD}`,
  ERR_VMCG_DBUS_CLOSED: 'systemd went away before it answered (a daemon-reexec does that): try again',
  ERR_VMCG_DBUS_TIMEOUT: 'systemd or the bus is busy: try again later',
}

/** @param what what was asked, such as `'StartTransientUnit of vmcg-1.scope'`. */
export function replyError(
  address: BusAddress,
  what: string,
  dbusName: string,
  text: string,
  cause?: unknown,
): BusReplyError {
  const [code = 'ERR_VMCG_DBUS_CALL'] =
    Object.entries(MEANINGS).find(([, names]) => names.includes(dbusName)) ?? []
  return new BusReplyError(code, `${what} was refused: ${text} (${dbusName})`, dbusName, text, {
    path: shown(address),
    hint: HINTS[code],
    cause,
  })
}
