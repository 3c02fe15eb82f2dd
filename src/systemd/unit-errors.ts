import { SystemdError } from '../errors'
import { quote } from '../model/quote'
import type { UnitState } from './unit-state'

export type JobKind = 'start' | 'stop'

/** The job of systemd that starts or stops a unit ended otherwise than well. */
export class UnitJobError extends SystemdError {
  /** Such as `'vmcg-1.scope'`. */
  readonly unit: string
  /**
   * systemd's word for it: `'canceled'`, `'timeout'`, `'failed'`, `'dependency'`, ...;
   * `'lost'` when nothing is left of it, `'exists'` when it did not even begin.
   */
  readonly result: string

  constructor(kind: JobKind, unit: string, result: string) {
    super('ERR_VMCG_SYSTEMD_JOB', `systemd did not ${kind} ${unit}: ${explained(result)}`, {
      value: result,
      hint: `systemctl status ${shellWord(unit)}; journalctl -b -u ${shellWord(unit)}`,
    })
    this.unit = unit
    this.result = result
  }

  static {
    Object.defineProperty(UnitJobError.prototype, 'name', {
      value: 'UnitJobError',
      configurable: true,
      writable: true,
    })
  }
}

/** Source: org.freedesktop.systemd1(5), JobRemoved. */
const RESULTS: Readonly<Record<string, string>> = {
  canceled: 'somebody canceled its job, or started another one in its place',
  timeout: 'its job took longer than systemd waits for one',
  failed: 'it failed',
  dependency: 'a unit that it needs failed, such as its slice',
  skipped: 'its job did not apply to it any more',
  exists: 'a unit of that name is still ending',
  lost: 'its job has left no trace',
}

function explained(result: string): string {
  return RESULTS[result] ?? `the job ended with ${quote(result)}`
}

/** A backslash, which systemd takes in names, would be the shell's. */
function shellWord(unit: string): string {
  return /^[A-Za-z0-9_.-]+$/.test(unit) ? unit : `'${unit}'`
}

export function jobTimeoutError(kind: JobKind, unit: string, timeoutMs: number): SystemdError {
  const rest =
    kind === 'start'
      ? 'its job is canceled, as far as systemd answers'
      : 'it goes on: processes that do not end by SIGTERM are killed after 90 s'
  return new SystemdError(
    'ERR_VMCG_SYSTEMD_JOB_TIMEOUT',
    `systemd has not ${kind === 'start' ? 'started' : 'stopped'} ${unit} within ${timeoutMs} ms; ${rest}`,
    {
      value: unit,
      hint: `systemctl list-jobs shows what it waits for; then try again`,
    },
  )
}

/** There is a unit of that name, and it is not the one that was asked for. */
export function foreignUnitError(
  state: UnitState,
  first: { readonly pid: number; readonly command: string } | undefined,
): SystemdError {
  const runs = first === undefined ? '' : `, with process ${first.pid} (${quote(first.command)})`
  return new SystemdError(
    'ERR_VMCG_FOREIGN_UNIT',
    `${state.unit} is somebody else's: ${quote(state.description)}, ${state.activeState}${runs}`,
    {
      path: state.controlGroup === '' ? undefined : state.controlGroup,
      value: state.unit,
      hint: `pass another prefix or name (slice:prefix:name); see systemctl status ${shellWord(state.unit)}`,
    },
  )
}

export function processGoneError(unit: string, pid: number, cause?: unknown): SystemdError {
  return new SystemdError('ERR_VMCG_VM_GONE', `process ${pid} has ended, so that ${unit} cannot hold it`, {
    value: String(pid),
    hint: 'what it said before it ended is on its stderr',
    cause,
  })
}

export function notInsideError(state: UnitState, pid: number): SystemdError {
  return new SystemdError(
    'ERR_VMCG_VERIFY',
    `systemd says that ${state.unit} has started, but process ${pid} is not in ${quote(state.controlGroup)}`,
    {
      path: `/proc/${pid}/cgroup`,
      hint: 'something else moves this process between cgroups, or has ended it',
    },
  )
}
