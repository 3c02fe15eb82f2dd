import { SystemdError } from '../errors'
import { quote, short } from '../model/quote'

/** The systemd that is PID 1, or the one of a user (`user@.service`). */
export type SystemdInstance = 'system' | 'user'

/** A unix socket on which D-Bus is spoken. */
export interface BusAddress {
  /** Its path; one in the abstract namespace begins with a NUL. */
  readonly socket: string
  /** systemd itself listens there: no names, no greeting, and every signal without having been asked for. */
  readonly isPeer: boolean
}

const SYSTEM_BUS = '/run/dbus/system_bus_socket'
const SYSTEM_PEER = '/run/systemd/private'

/**
 * Where a systemd can be reached, in the order to try: its bus, as the environment or the convention names it, then its
 * own socket, which serves root and the user whose systemd it is, also where no bus runs.
 *
 * @param uid The effective one of this process.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` when the environment names a bus that is no unix socket.
 *
 * Source: D-Bus specification, "Well-known Message Bus Instances"; systemd, src/shared/bus-util.c; pam_systemd(8)
 * (XDG_RUNTIME_DIR, which a cron job or `su` lacks).
 */
export function systemdAddresses(
  instance: SystemdInstance,
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
): readonly BusAddress[] {
  if (instance === 'system') {
    const buses = named(env, 'DBUS_SYSTEM_BUS_ADDRESS') ?? [bus(SYSTEM_BUS)]
    return uid === 0 ? [...buses, peer(SYSTEM_PEER)] : buses
  }
  const runtime = env['XDG_RUNTIME_DIR'] || `/run/user/${uid}`
  const conventional = bus(`${runtime}/bus`)
  const buses = named(env, 'DBUS_SESSION_BUS_ADDRESS') ?? []
  const all = [...buses, conventional, peer(`${runtime}/systemd/private`)]
  return all.filter(({ socket }, index) => all.findIndex((other) => other.socket === socket) === index)
}

function bus(socket: string): BusAddress {
  return { socket, isPeer: false }
}

function peer(socket: string): BusAddress {
  return { socket, isPeer: true }
}

function named(
  env: Readonly<Record<string, string | undefined>>,
  variable: string,
): BusAddress[] | undefined {
  const text = env[variable]
  if (!text) return undefined
  const sockets = parseBusAddress(text)
  if (sockets.length > 0) return sockets.map(bus)
  throw new SystemdError('ERR_VMCG_INVALID_ARGUMENT', `${variable} names no unix socket: ${quote(text)}`, {
    value: short(text),
    hint: `unset ${variable}, or set it to unix:path=PATH`,
  })
}

/**
 * The unix sockets of a D-Bus address, such as `unix:path=/run/user/1000/bus,guid=6f1c;tcp:host=h`; what is none is
 * left out.
 *
 * Source: D-Bus specification, "Server Addresses".
 */
export function parseBusAddress(text: string): string[] {
  return text.split(';').flatMap((address) => {
    const [, keys] = /^unix:(.*)$/.exec(address.trim()) ?? []
    if (keys === undefined) return []
    const values = new Map(keys.split(',').map((pair) => keyAndValue(pair)))
    const path = values.get('path')
    const abstract = values.get('abstract')
    if (path) return [path]
    return abstract ? [`\0${abstract}`] : []
  })
}

function keyAndValue(pair: string): [string, string] {
  const equals = pair.indexOf('=')
  if (equals === -1) return [pair, '']
  return [pair.slice(0, equals), decoded(pair.slice(equals + 1))]
}

/** Each byte of a value can be written as `%` and two digits; together they are UTF-8. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
