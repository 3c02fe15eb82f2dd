import type { BusConnection } from './bus-connection'
import { isReply } from './bus-errors'
import { MANAGER } from './manager-connection'
import type { TimeLimit } from './time-limit'

/** What systemd says of a unit. Source: org.freedesktop.systemd1(5). */
export interface UnitState {
  readonly unit: string
  readonly description: string
  /** `'active'`, `'activating'`, `'inactive'`, `'deactivating'`, `'failed'`, ... */
  readonly activeState: string
  /** Finer, such as `'running'` or `'abandoned'` of a scope. */
  readonly subState: string
  /** 32 hexadecimal digits, new each time the unit is started; empty before its first start. */
  readonly invocationId: string
  /** Its cgroup below the root of systemd's, such as `'/system.slice/vmcg-1.scope'`; empty when it has none. */
  readonly controlGroup: string
  /** Of the job that waits or runs for it; undefined when there is none. */
  readonly job: { readonly id: number; readonly path: string } | undefined
}

const UNIT = 'org.freedesktop.systemd1.Unit'

/** The properties of each type of unit are in an interface of its own. */
const CGROUP_INTERFACES: Readonly<Record<string, string>> = {
  scope: 'org.freedesktop.systemd1.Scope',
  service: 'org.freedesktop.systemd1.Service',
  slice: 'org.freedesktop.systemd1.Slice',
}

/** systemd knows no unit of that name. */
const UNKNOWN = [
  'org.freedesktop.systemd1.NoSuchUnit',
  'org.freedesktop.DBus.Error.UnknownObject',
  'org.freedesktop.DBus.Error.UnknownInterface',
]

/** @returns undefined when systemd knows no such unit. Errors as {@link BusConnection.call}. */
export async function readUnit(
  bus: BusConnection,
  unit: string,
  limit: TimeLimit,
): Promise<UnitState | undefined> {
  try {
    const call = { ...MANAGER, member: 'GetUnit', signature: 's', args: [unit], about: unit }
    const path = await bus.call(call, limit)
    return await readProperties(bus, unit, String(path), limit)
  } catch (error) {
    if (isReply(error, ...UNKNOWN)) return undefined
    throw error
  }
}

async function readProperties(
  bus: BusConnection,
  unit: string,
  path: string,
  limit: TimeLimit,
): Promise<UnitState | undefined> {
  const read = (of: string, name: string): Promise<unknown> => {
    return bus.call(
      {
        destination: MANAGER.destination,
        path,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'Get',
        signature: 'ss',
        args: [of, name],
        about: `${name} of ${unit}`,
      },
      limit,
    )
  }
  const suffix = unit.slice(unit.lastIndexOf('.') + 1)
  const cgroups = CGROUP_INTERFACES[suffix]
  const [loadState, description, activeState, subState, invocationId, job, controlGroup] = await Promise.all([
    read(UNIT, 'LoadState'),
    read(UNIT, 'Description'),
    read(UNIT, 'ActiveState'),
    read(UNIT, 'SubState'),
    read(UNIT, 'InvocationID'),
    read(UNIT, 'Job'),
    cgroups === undefined ? '' : read(cgroups, 'ControlGroup'),
  ])
  // A unit that goes between two questions is loaded again by the second one, as one that is nowhere to be found.
  if (loadState === 'not-found') return undefined
  return {
    unit,
    description: String(description),
    activeState: String(activeState),
    subState: String(subState),
    invocationId: Buffer.isBuffer(invocationId) ? invocationId.toString('hex') : '',
    controlGroup: String(controlGroup),
    job: jobOf(job),
  }
}

/** A unit without a job has one of id 0. */
function jobOf(value: unknown): UnitState['job'] {
  const [id, path]: readonly unknown[] = Array.isArray(value) ? value : []
  return typeof id === 'number' && id > 0 ? { id, path: String(path) } : undefined
}

/**
 * The processes of a unit, with what they were called by.
 *
 * @returns Empty when the unit is not there. Errors as {@link BusConnection.call}.
 */
export async function readUnitProcesses(
  bus: BusConnection,
  unit: string,
  limit: TimeLimit,
): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const call = { ...MANAGER, member: 'GetUnitProcesses', signature: 's', args: [unit], about: unit }
  const processes = await bus.call(call, limit).catch((error: unknown) => {
    if (isReply(error, ...UNKNOWN)) return undefined
    throw error
  })
  if (!Array.isArray(processes)) return []
  return processes.map((entry: unknown) => {
    const [, pid, command]: readonly unknown[] = Array.isArray(entry) ? entry : []
    return { pid: Number(pid), command: String(command) }
  })
}
