import { getSystemErrorMap } from 'node:util'
import type { Report } from './engine/report'

/**
 * What vmcg refuses by itself, before the kernel is asked. A failed system call has the kernel's own name
 * instead (`'EBUSY'`, `'EACCES'`, ...). Match on `code`; messages may change.
 */
export type VmcgErrorCode =
  | 'ERR_VMCG_ALREADY_RUNNING'
  | 'ERR_VMCG_BUSY'
  | 'ERR_VMCG_CGROUP_TYPE'
  | 'ERR_VMCG_CLOSED'
  | 'ERR_VMCG_DBUS_CALL'
  | 'ERR_VMCG_DBUS_CLOSED'
  | 'ERR_VMCG_DBUS_LIMIT'
  | 'ERR_VMCG_DBUS_NO_SOCKET'
  | 'ERR_VMCG_DBUS_REFUSED'
  | 'ERR_VMCG_DBUS_TIMEOUT'
  | 'ERR_VMCG_DESTROYED'
  | 'ERR_VMCG_DEVICE_IN_USE'
  | 'ERR_VMCG_FOREIGN_CGROUP'
  | 'ERR_VMCG_FOREIGN_PROGRAM'
  | 'ERR_VMCG_FOREIGN_UNIT'
  | 'ERR_VMCG_INTERNAL_PROCESSES'
  | 'ERR_VMCG_INVALID_ARGUMENT'
  | 'ERR_VMCG_INVALID_ID'
  | 'ERR_VMCG_INVALID_PATH'
  | 'ERR_VMCG_INVALID_SPEC'
  | 'ERR_VMCG_NATIVE_ADDON'
  | 'ERR_VMCG_NOT_ATTACHED'
  | 'ERR_VMCG_NO_CAPABILITY'
  | 'ERR_VMCG_NO_CONTROLLER'
  | 'ERR_VMCG_OUT_OF_RANGE'
  | 'ERR_VMCG_PLAN_STALE'
  | 'ERR_VMCG_QMP_CLOSED'
  | 'ERR_VMCG_QMP_COMMAND'
  | 'ERR_VMCG_QMP_IN_USE'
  | 'ERR_VMCG_QMP_NO_SOCKET'
  | 'ERR_VMCG_QMP_PROTOCOL'
  | 'ERR_VMCG_QMP_REFUSED'
  | 'ERR_VMCG_QMP_TIMEOUT'
  | 'ERR_VMCG_QMP_WRONG_PID'
  | 'ERR_VMCG_SPAWN'
  | 'ERR_VMCG_STATE'
  | 'ERR_VMCG_SYSTEMD_DENIED'
  | 'ERR_VMCG_SYSTEMD_JOB'
  | 'ERR_VMCG_SYSTEMD_JOB_TIMEOUT'
  | 'ERR_VMCG_SYSTEMD_MISSING'
  | 'ERR_VMCG_TIMEOUT'
  | 'ERR_VMCG_UNSUPPORTED'
  | 'ERR_VMCG_VERIFY'
  | 'ERR_VMCG_VM_GONE'

/** What an error can say beside its message. All of it is optional and shown by `console.log(error)`. */
export interface VmcgErrorDetails {
  /** Negative, as in Node: `-16` for EBUSY. */
  readonly errno?: number | undefined
  readonly syscall?: string | undefined
  /** The file, directory or socket that was asked for. */
  readonly path?: string | undefined
  /** The value that was refused. */
  readonly value?: string | undefined
  /** What to do about it, in words that can be copied into a shell where that makes sense. */
  readonly hint?: string | undefined
  /** For an apply that failed half-way: what was done and what now stands. */
  readonly report?: Report | undefined
  readonly cause?: unknown
}

const BRAND = Symbol.for('vmcg.error')

/**
 * Every error that vmcg throws on purpose. Tell it with {@link isVmcgError}, which also holds for errors of a
 * second copy of this package or of another realm, where `instanceof` does not.
 */
export class VmcgError extends Error {
  readonly code: string
  declare readonly errno?: number
  declare readonly syscall?: string
  declare readonly path?: string
  declare readonly value?: string
  declare readonly hint?: string
  declare readonly report?: Report

  constructor(code: string, message: string, details: VmcgErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    for (const key of ['errno', 'syscall', 'path', 'value', 'hint', 'report'] as const) {
      const detail = details[key]
      if (detail !== undefined) Object.assign(this, { [key]: detail })
    }
    Object.defineProperty(this, BRAND, { value: true })
  }

  static {
    Object.defineProperty(VmcgError.prototype, 'name', {
      value: 'VmcgError',
      configurable: true,
      writable: true,
    })
  }
}

/** A cgroup file or directory operation that failed; `code` is the kernel's (`'EINVAL'`) or one of ours. */
export class CgroupError extends VmcgError {
  static {
    Object.defineProperty(CgroupError.prototype, 'name', {
      value: 'CgroupError',
      configurable: true,
      writable: true,
    })
  }
}

/** A QMP connection or command that failed. */
export class QmpError extends VmcgError {
  static {
    Object.defineProperty(QmpError.prototype, 'name', {
      value: 'QmpError',
      configurable: true,
      writable: true,
    })
  }
}

/** A request to systemd, or to the bus on the way to it, that failed. */
export class SystemdError extends VmcgError {
  static {
    Object.defineProperty(SystemdError.prototype, 'name', {
      value: 'SystemdError',
      configurable: true,
      writable: true,
    })
  }
}

/** What a launch does, in order; see {@link SpawnError}. */
export type LaunchStepName =
  | 'prepare'
  | 'spawn'
  | 'wait'
  | 'enter'
  | 'close'
  | 'session'
  | 'rlimit'
  | 'cwd'
  | 'groups'
  | 'gid'
  | 'uid'
  | 'exec'

/**
 * A program that could not be started; `code` is `ERR_VMCG_SPAWN`. `step` tells what failed, `errno` and `path` why and
 * where: the cgroup's file for `enter`, the program for `exec`. Nothing is left of the process.
 */
export class SpawnError extends VmcgError {
  readonly step: LaunchStepName

  constructor(step: LaunchStepName, message: string, details: VmcgErrorDetails = {}) {
    super('ERR_VMCG_SPAWN', message, details)
    this.step = step
  }

  static {
    Object.defineProperty(SpawnError.prototype, 'name', {
      value: 'SpawnError',
      configurable: true,
      writable: true,
    })
  }
}

/** True for every error that vmcg throws on purpose, whichever copy or realm made it. */
export function isVmcgError(error: unknown): error is VmcgError {
  return typeof error === 'object' && error !== null && Reflect.get(error, BRAND) === true
}

/** What no call of Node's answers with. Source: errno(3). */
const UNKNOWN_TO_NODE: ReadonlyMap<number, readonly [name: string, text: string]> = new Map([
  [8, ['ENOEXEC', 'exec format error']],
])

/** The name of a positive errno, such as `'EBUSY'` for 16; `'E<number>'` for one that Node does not know. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? UNKNOWN_TO_NODE.get(errno)?.[0] ?? `E${errno}`
}

/** The kernel's own words for a positive errno, such as `'resource busy or locked'`. */
export function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? UNKNOWN_TO_NODE.get(errno)?.[1] ?? `error ${errno}`
}
