import { createHash } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile, temporaryPath } from '../engine/replace-file'
import { turns } from '../engine/turns'
import { isVmcgError, VmcgError } from '../errors'
import type { DeviceUse } from '../model/devices/device-use'
import type { LinuxResources } from '../model/generated/oci'
import type { ManagedKnob, ScopePlace } from '../plan/desired'
import type { TagAttribute } from '../plan/operations'
import type { RememberedProgram } from '../plan/remembered-program'
import type { Standstill } from '../plan/stand-still'
import type { UnitLimits } from '../systemd/scope-properties'

/** What survives the process that wrote it: everything that is needed to go on with a sandbox, or to take it away. */
export interface SandboxState {
  readonly schema: 1
  readonly id: string
  readonly driver: 'cgroupfs' | 'systemd'
  /** The cgroup that its own is made in; with systemd the first fields of its path, such as `'system.slice:vmcg'`. */
  readonly parent: string
  /** With systemd the unit that it is in, else null. */
  readonly scope?: ScopeState | null | undefined
  /** True for a sandbox, whose vCPU threads have a cgroup of their own; false for what a `CgroupManager` manages. */
  readonly hasLeaf: boolean
  /** The extended attribute that holds the tag: users without root's rights have one of their own. */
  readonly tagAttribute: TagAttribute
  /** The value of the tag on every directory of this sandbox. */
  readonly nonce: string
  /** Those of the last apply that went through. */
  readonly containers: readonly ContainerState[]
  /** How these were merged. */
  readonly merge: MergeState
  /** The merged resources of the last apply that went through; null before the first. */
  readonly applied: LinuxResources | null
  /** Hierarchies in which directories were made, or were about to be. */
  readonly claimed: readonly string[]
  /** Hierarchies in which a cgroup that somebody else had made was taken over; then no others are used. */
  readonly takenOver: readonly string[]
  /** The knobs that vmcg itself has set. */
  readonly managed: readonly ManagedKnob[]
  readonly processes: readonly ProcessState[]
  /** Single threads that were put in by hand. */
  readonly threads: readonly ThreadState[]
  /** Devices that were added one by one, each with who asked for it. */
  readonly devices: readonly DeviceUse[]
  /** What is frozen for some writes; null: nothing. Written before the freeze. */
  readonly standstill: Standstill | null
  /** The device program of its v2 cgroup; null: there is none. */
  readonly program: RememberedProgram | null
}

/** A transient scope of systemd: what is asked for, and once it was started where it is. */
export interface ScopeState extends ScopePlace {
  readonly slice: string
  /** Such as `'vmcg-vm1.scope'`. */
  readonly unit: string
  readonly description: string
  /** Tells this life of the unit from every other; null: it was not started yet. */
  readonly invocationId: string | null
  /** Its start was asked for, and what came of it was not written down yet. */
  readonly isStarting?: true | undefined
  /** The limits that the unit shows; null: none yet; undefined: it is to show none. */
  readonly mirror?: UnitLimits | null | undefined
}

export interface ThreadState {
  readonly tid: number
  readonly startTime: number
  /** As a process's. */
  readonly origins: Readonly<Record<string, string>>
}

export interface ContainerState {
  readonly id: string
  readonly resources: LinuxResources | null
}

export interface MergeState {
  readonly unlimited: 'ignore' | 'uncap'
  /** null: the memory of the sandbox is not limited. */
  readonly memoryOverheadBytes: number | null
  /** What became of fields that the host has nothing for. */
  readonly unsupported: 'error' | 'warn'
}

export interface ProcessState {
  readonly pid: number
  /** Clock ticks since boot: tells the process from a later one with its pid. */
  readonly startTime: number
  readonly role: 'vmm' | 'helper'
  /** Hierarchy id → the cgroup it was in before vmcg moved it. */
  readonly origins: Readonly<Record<string, string>>
}

export interface StatePaths {
  readonly state: string
  readonly lock: string
  /** A directory for the sockets of a VMM that vmcg has launched. */
  readonly sockets: string
}

const READ_NO_LINK = constants.O_RDONLY | constants.O_NOFOLLOW

/** The files of one sandbox in a state directory. The name is a hash, since ids and parents hold slashes and dots. */
export function statePaths(
  directory: string,
  where: Pick<SandboxState, 'driver' | 'parent' | 'id'>,
): StatePaths {
  const key = createHash('sha256')
    .update(`${where.driver}\0${where.parent}\0${where.id}`)
    .digest('hex')
    .slice(0, 32)
  return {
    state: join(directory, `${key}.json`),
    lock: join(directory, `${key}.lock`),
    sockets: join(directory, `${key}.sockets`),
  }
}

/**
 * Reads in a turn of the event loop of its own, as the caller goes on to plan.
 *
 * @returns undefined where there is none.
 * @throws `ERR_VMCG_STATE` for a file that is damaged, or was written by a newer vmcg: such a one is not guessed at.
 */
export async function readState(path: string): Promise<SandboxState | undefined> {
  await turns.next()
  const text = readIfThere(path)
  if (text === undefined) return undefined
  try {
    return checkState(JSON.parse(text), path)
  } catch (error) {
    if (isVmcgError(error)) throw error
    throw damaged(path, error)
  }
}

/**
 * A page or two, most often of a file system in memory: at once it takes a tenth of the time that it would take by way
 * of another thread.
 */
function readIfThere(path: string): string | undefined {
  try {
    const file = openSync(path, READ_NO_LINK)
    try {
      return readFileSync(file, 'utf8')
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    if (Reflect.get(Object(cause), 'code') === 'ENOENT') return undefined
    throw new VmcgError('ERR_VMCG_STATE', `the state file ${path} cannot be read`, { cause, path })
  }
}

/**
 * A reader finds the old state or the new one.
 *
 * @throws `ERR_VMCG_STATE`, whose `cause` names the system call; the old state is then still there.
 */
export async function writeState(path: string, state: SandboxState): Promise<void> {
  try {
    await replaceFile(path, `${JSON.stringify(state)}\n`)
  } catch (cause) {
    throw new VmcgError('ERR_VMCG_STATE', `the state file ${path} cannot be written`, { cause, path })
  }
}

/**
 * Removes the state, and what a crash has left of a temporary file.
 *
 * @throws `ERR_VMCG_STATE` for a file that is there and cannot be removed.
 */
export async function removeState(path: string): Promise<void> {
  try {
    removeIfThere(temporaryPath(path))
    removeIfThere(path)
  } catch (cause) {
    throw new VmcgError('ERR_VMCG_STATE', `the state file ${path} cannot be removed`, { cause, path })
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'ENOENT') throw error
  }
}

function checkState(value: unknown, path: string): SandboxState {
  const schema: unknown = Reflect.get(Object(value), 'schema')
  if (typeof schema === 'number' && schema > 1) {
    throw new VmcgError(
      'ERR_VMCG_STATE',
      `${path} was written by a newer vmcg (schema ${schema}; this one knows 1)`,
      {
        path,
        value: String(schema),
        hint: 'use the vmcg that wrote it, or a newer one',
      },
    )
  }
  if (!isState(value)) throw damaged(path, undefined)
  return value
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isNumber: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isPid: Check = (value) => isNumber(value) && value !== 0

function oneOf(...values: readonly unknown[]): Check {
  return (value) => values.includes(value)
}

function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check)
}

function shapeOf(fields: Readonly<Record<string, Check>>): Check {
  return (value) =>
    isObject(value) &&
    Object.entries(fields).every(([name, check]) => check(Reflect.get(Object(value), name)))
}

function orNull(check: Check): Check {
  return (value) => value === null || check(value)
}

const isResources = orNull(isObject)
const isPaths: Check = (value) => isObject(value) && Object.values(Object(value)).every(isText)

const checkShape = shapeOf({
  schema: oneOf(1),
  driver: oneOf('cgroupfs', 'systemd'),
  id: isText,
  parent: isText,
  nonce: isText,
  containers: listOf(shapeOf({ id: isText, resources: isResources })),
  merge: shapeOf({
    unlimited: oneOf('ignore', 'uncap'),
    memoryOverheadBytes: orNull(isNumber),
    unsupported: oneOf('error', 'warn'),
  }),
  applied: isResources,
  claimed: listOf(isText),
  takenOver: listOf(isText),
  hasLeaf: oneOf(true, false),
  tagAttribute: oneOf('trusted.vmcg', 'user.vmcg'),
  managed: listOf(shapeOf({ hierarchy: isText, path: isText, knob: isText, value: isText })),
  threads: listOf(shapeOf({ tid: isPid, startTime: isNumber, origins: isPaths })),
  program: orNull(
    shapeOf({
      attached: orNull(shapeOf({ id: isNumber, name: isText })),
      loading: orNull(shapeOf({ name: isText, beside: listOf(isNumber) })),
    }),
  ),
  standstill: orNull(shapeOf({ freezer: isText, hierarchy: isText, path: isText, allow: listOf(isText) })),
  devices: listOf(shapeOf({ owner: isText, path: isText, rule: isObject })),
  processes: listOf(
    shapeOf({ pid: isPid, startTime: isNumber, role: oneOf('vmm', 'helper'), origins: isPaths }),
  ),
})

const isScope = shapeOf({
  path: isText,
  hierarchies: listOf(isText),
  slice: isText,
  unit: isText,
  description: isText,
  invocationId: orNull(isText),
})

const isMirror = orNull(
  shapeOf({
    memoryMaxBytes: orNull(isNumber),
    pidsMax: orNull(isNumber),
    cpuQuota: orNull(shapeOf({ quotaUs: isNumber, periodUs: isNumber })),
  }),
)

function isScopeState(value: unknown): boolean {
  const { isStarting = true, mirror = null } = Object(value)
  return isScope(value) && isMirror(mirror) && isStarting === true
}

function isState(value: unknown): value is SandboxState {
  const scope: unknown = Reflect.get(Object(value), 'scope') ?? null
  const isWithSystemd = Reflect.get(Object(value), 'driver') === 'systemd'
  return checkShape(value) && (isWithSystemd ? isScopeState(scope) : scope === null)
}

function damaged(path: string, cause: unknown): VmcgError {
  return new VmcgError('ERR_VMCG_STATE', `${path} is damaged`, {
    cause,
    path,
    hint: `look at it, and remove it when the sandbox is gone: cat ${path}`,
  })
}
