import { errnoName, errnoText, type LaunchStepName, SpawnError, VmcgError } from '../errors'
import { LAUNCH_PROGRAM, LaunchNews, native } from './native'
import { LaunchedProcess } from './vm-process'

/** A cgroup to be born in. */
export interface LaunchPlace {
  readonly version: 1 | 2
  /** Of the hierarchy, as `Roots` gives it. */
  readonly root: number
  readonly mountPoint: string
  /** Below the mount point, such as `'/kata/vm1'`. */
  readonly path: string
}

/** A resource limit; `'unlimited'` is RLIM_INFINITY. */
export interface LaunchLimit {
  /** RLIMIT_* of <sys/resource.h>. */
  readonly resource: number
  readonly name: string
  readonly soft: number | 'unlimited'
  readonly hard: number | 'unlimited'
}

/** A program to start, everything in it checked. */
export interface LaunchOrder {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** From descriptor 0 on: a descriptor of this process, `NULL_DEVICE`, or `PIPE` (the first three). */
  readonly stdio: readonly number[]
  readonly cwd?: string | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Supplementary groups. @default none where uid or gid is given, else those of this process */
  readonly groups?: readonly number[] | undefined
  readonly rlimits: readonly LaunchLimit[]
  /** In a session of its own. */
  readonly isDetached: boolean
}

export interface LaunchProcessOptions {
  readonly signal?: AbortSignal | undefined
  /** How long it may take until the program runs, in milliseconds. */
  readonly timeoutMs: number
  /** The socket at which it waits to be let on, before it takes any other step. @default it does not */
  readonly waitAt?: string | undefined
  /** Told why it is about to be killed: what else fails from then on fails because of that. */
  readonly onGivenUp?: ((reason: unknown) => void) | undefined
}

/** One argument of `vmcg-launch`, and what an error of it is about. */
interface Step {
  readonly argument: string
  readonly name: LaunchStepName
  /** The file, directory or value that it works on. */
  readonly on?: string
}

/** Nothing that was killed takes longer to end, unless it is frozen. */
const KILLED_MS = 2000
const SIGKILL = 9
const E2BIG = 7

/**
 * Starts a program that is inside of these cgroups from its first instruction on. `vmcg-launch` is started by
 * posix_spawn(3), off this thread; it enters the cgroups by itself, and becomes the program.
 *
 * @throws SpawnError naming the step; `ERR_VMCG_TIMEOUT`; `signal.reason` after an abort. The process is killed then.
 */
export async function launchProcess(
  order: LaunchOrder,
  places: readonly LaunchPlace[],
  { signal, timeoutMs, waitAt, onGivenUp }: LaunchProcessOptions,
): Promise<LaunchedProcess> {
  signal?.throwIfAborted()
  const { words, strings, steps, files } = encode(order, places, waitAt)
  const attempt = begin(words, strings)
  let timer: NodeJS.Timeout | undefined
  let onAbort: () => void = () => undefined
  const givenUp = new Promise<'aborted' | 'overdue'>((resolve) => {
    timer = setTimeout(() => resolve('overdue'), timeoutMs)
    onAbort = () => resolve('aborted')
    signal?.addEventListener('abort', onAbort, { once: true })
  })
  try {
    const outcome = await Promise.race([attempt.started, givenUp])
    if (typeof outcome !== 'string') return outcome
    const reason: unknown = outcome === 'aborted' ? signal?.reason : overdue(order.file, timeoutMs)
    onGivenUp?.(reason)
    await attempt.giveUp()
    throw reason
  } catch (error) {
    throw error instanceof LaunchFailure ? explain(error, order.file, steps, files) : error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

interface Attempt {
  readonly started: Promise<LaunchedProcess>
  /** Kills it, and waits until it has ended. */
  giveUp(): Promise<void>
}

function begin(words: Int32Array, strings: string): Attempt {
  let resolveEnded: (ending: { code: number; signal: number }) => void = () => undefined
  const ended = new Promise<{ code: number; signal: number }>((resolve) => {
    resolveEnded = resolve
  })
  let ticket = 0
  const started = new Promise<LaunchedProcess>((resolve, reject) => {
    ticket = native().launch(words, strings, (news, first, second, third, fourth) => {
      switch (news) {
        case LaunchNews.Started: {
          const pipes = { stdin: second, stdout: third, stderr: Number(fourth) }
          resolve(new LaunchedProcess(ticket, first, pipes, ended))
          return
        }
        case LaunchNews.Failed:
          reject(new LaunchFailure(first, second, third, String(fourth)))
          return
        case LaunchNews.Ended:
          resolveEnded({ code: first, signal: second })
      }
    })
    if (ticket < 0) reject(new LaunchFailure(-ticket, -1, -1, 'launch'))
  })
  return {
    started,
    giveUp: async () => {
      native().signalChild(ticket, SIGKILL)
      const over = started.then(
        (process) => {
          process.dropUnread()
          return process.exited
        },
        () => undefined,
      )
      let timer: NodeJS.Timeout | undefined
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, KILLED_MS)
      })
      await Promise.race([over, patience])
      clearTimeout(timer)
      // Who was frozen meanwhile ends when it is thawed; Node need not wait for that.
      native().holdChild(ticket, false)
    },
  }
}

/** What the addon reports of a launch that failed. */
class LaunchFailure extends Error {
  constructor(
    readonly errno: number,
    readonly file: number,
    readonly step: number,
    readonly syscall: string,
  ) {
    super(syscall)
  }
}

function encode(order: LaunchOrder, places: readonly LaunchPlace[], waitAt: string | undefined) {
  const statusFd = order.stdio.length
  const files = places.map((place) => ({
    ...place,
    file: place.version === 1 ? `${place.path}/tasks` : place.path,
  }))
  const steps = stepsOf(order, files, statusFd, waitAt)
  const command = [LAUNCH_PROGRAM, ...steps.map(({ argument }) => argument), order.file, ...order.args]
  const env = Object.entries(order.env).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  )
  const words = [
    ...[command.length, env.length, statusFd, files.length],
    ...order.stdio,
    ...files.flatMap(({ root, version }) => [root, version === 2 ? 1 : 0]),
  ]
  const strings = [...command, ...env, ...files.map(({ file }) => file.slice(1))].join('\0')
  const names = files.map(({ mountPoint, file }) => `${mountPoint}${file}`)
  return { words: Int32Array.from(words), strings, steps, files: names }
}

/** The files' descriptors follow that of the status pipe, in their order. */
function stepsOf(
  order: LaunchOrder,
  files: readonly (LaunchPlace & { readonly file: string })[],
  statusFd: number,
  waitAt: string | undefined,
): readonly Step[] {
  const { cwd, uid, gid, rlimits, isDetached } = order
  const groups = order.groups ?? (uid === undefined && gid === undefined ? undefined : [])
  const enter = files.map(({ version, mountPoint, file }, index): Step => {
    const argument = `${version === 2 ? 'cgroup' : 'tasks'}=${statusFd + 1 + index}`
    return { argument, name: 'enter', on: `${mountPoint}${file}` }
  })
  // Birth in a v2 cgroup is a fork, and whatever else is done is to be done by the one that stays.
  const [v2, v1] = [2, 1].map((version) => enter.filter((_, index) => files[index]?.version === version))
  const limits = rlimits.map(({ resource, name, soft, hard }): Step => {
    const on = `${name} to ${soft} (hard: ${hard})`
    return { argument: `rlimit=${resource}:${limit(soft)}:${limit(hard)}`, name: 'rlimit', on }
  })
  const user: readonly (Step | undefined)[] = [
    isDetached ? { argument: 'session', name: 'session' } : undefined,
    ...limits,
    cwd === undefined ? undefined : { argument: `cwd=${cwd}`, name: 'cwd', on: cwd },
    groups === undefined ? undefined : { argument: `groups=${groups.join(',')}`, name: 'groups' },
    gid === undefined ? undefined : { argument: `gid=${gid}`, name: 'gid', on: String(gid) },
    uid === undefined ? undefined : { argument: `uid=${uid}`, name: 'uid', on: String(uid) },
  ]
  return [
    { argument: `status=${statusFd}`, name: 'prepare' },
    ...(waitAt === undefined ? [] : [{ argument: `wait=${waitAt}`, name: 'wait', on: waitAt } as const]),
    ...(v2 ?? []),
    ...(v1 ?? []),
    { argument: `close=${statusFd + 1 + files.length}`, name: 'close' },
    ...user.flatMap((step) => step ?? []),
    { argument: '--', name: 'exec', on: order.file },
  ]
}

const RLIM_INFINITY = '18446744073709551615'

function limit(value: number | 'unlimited'): string {
  return value === 'unlimited' ? RLIM_INFINITY : String(value)
}

function explain(
  failure: LaunchFailure,
  program: string,
  steps: readonly Step[],
  files: readonly string[],
): SpawnError {
  const { errno, syscall } = failure
  // The first argument is the program's own name.
  const step = steps[failure.step - 1]
  const why = `${errnoText(errno)} (${errnoName(errno)})`
  const about = (name: LaunchStepName, what: string, path: string | undefined, hint?: string) =>
    new SpawnError(name, `${program} was not started: ${what}: ${why}`, {
      errno: -errno,
      ...(name === 'exec' ? { syscall: 'execve' } : step === undefined ? { syscall } : {}),
      path,
      hint,
    })
  const file = files[failure.file]
  if (file !== undefined) return about('enter', `${file} cannot be opened`, file, `ls -l ${file}`)
  if (step === undefined && errno === E2BIG) {
    return about('spawn', `the arguments and the environment of ${program} are too long`, undefined)
  }
  if (step === undefined) {
    return about('spawn', `${syscall} failed`, LAUNCH_PROGRAM, `ls -l ${LAUNCH_PROGRAM}; npm run build`)
  }
  const { name, on } = step
  if (name === 'exec') return about(name, 'it cannot be executed', on, `command -v ${program}`)
  if (name === 'enter') return about(name, `${on} does not take it`, on)
  if (name === 'wait') return about(name, 'it was not let on', on)
  if (name === 'cwd') return about(name, `the directory ${on} cannot be entered`, on, `ls -ld ${on}`)
  if (name === 'rlimit') {
    return about(
      name,
      `it cannot limit ${on}`,
      undefined,
      `cat /proc/${process.pid}/limits; sysctl fs.nr_open`,
    )
  }
  return about(name, on === undefined ? name : `${name} ${on}`, undefined)
}

function overdue(file: string, timeoutMs: number): VmcgError {
  return new VmcgError('ERR_VMCG_TIMEOUT', `${file} was not started within ${timeoutMs} ms, and is killed`, {
    hint: 'its cgroup may have been frozen meanwhile: such a process ends when it is thawed',
  })
}
