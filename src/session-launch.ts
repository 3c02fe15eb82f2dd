import { type LaunchOrder, type LaunchPlace, launchProcess } from './engine/launch'
import { openDoor } from './engine/launch-door'
import { pause } from './engine/pause'
import type { Report } from './engine/report'
import type { LaunchedProcess } from './engine/vm-process'
import { isVmcgError, VmcgError } from './errors'
import { isSameProcess } from './host/origins'
import type { Hypervisor } from './hypervisor/hypervisor'
import { QemuHypervisor } from './hypervisor/qemu'
import { isStopped, monitorArguments, openMonitor, type QemuMonitor } from './hypervisor/qemu-monitor'
import type { CheckedLaunch } from './launch-options'
import type { SandboxSession } from './sandbox-session'
import { alreadyRunning } from './session-errors'
import { claimedFreezer, refuseFrozen } from './session-freezer'
import { release } from './session-leaving'
import { startScope } from './session-scope'

/** What a launch needs of the sandbox's object. */
export interface LaunchHooks {
  /** Takes a hypervisor up, or lets it go. */
  readonly attach: (hypervisor: Hypervisor | undefined) => Promise<void>
  /** Makes the cgroups and sets the limits, as `apply()`. */
  readonly apply: (signal: AbortSignal | undefined) => Promise<Report>
  /** Places threads, as `refresh()`. */
  readonly place: () => Promise<unknown>
}

/** Threads that QEMU, or the kernel for it, starts once the guest runs are there by then. */
const SECOND_LOOK_MS = 200

/** @throws `ERR_VMCG_ALREADY_RUNNING` */
export function refuseRunning({ state }: SandboxSession): void {
  const vmm = state.processes.find((process) => process.role === 'vmm' && isSameProcess(process))
  if (vmm !== undefined) throw alreadyRunning(state.id, vmm.pid)
}

/**
 * Applies, and starts a VMM in the cgroups of a sandbox. When that fails, nothing of it is left. With systemd the unit
 * begins with the process, which waits until its cgroups have been made.
 *
 * @throws `ERR_VMCG_BUSY` for a sandbox that is frozen; what `launchProcess` throws; for a QEMU what attaching and
 *   placing throw, and `ERR_VMCG_VM_GONE` with its own words when it ends by itself.
 */
export async function launchVmm(
  session: SandboxSession,
  launch: CheckedLaunch,
  hooks: LaunchHooks,
): Promise<LaunchedProcess> {
  // What is started in a frozen cgroup waits until it is thawed.
  if (session.state.scope) await refuseFrozen(session, launch)
  else await applyUnfrozen(session, launch, hooks)
  if (!launch.isQemu) {
    const started = await start(session, launch, undefined, hooks)
    return orNothing(session, started, () => remember(session, started))
  }
  const monitor = openMonitor(session.socketDirectory)
  try {
    const started = await start(session, launch, monitor, hooks)
    monitor.release()
    const vm = await orNothing(session, started, async () => {
      await remember(session, started)
      await bringUp(launch, started, monitor, hooks).catch(async (error: unknown) => {
        if (await hasEndedItself(started, error)) throw await ended(launch, started, error)
        throw isVmcgError(error) && SILENT.includes(error.code) ? silent(launch, error) : error
      })
    }).catch(async (error) => {
      await hooks.attach(undefined)
      throw error
    })
    void started.exited.then(monitor.remove)
    return vm
  } catch (error) {
    monitor.release()
    monitor.remove()
    throw error
  }
}

/** Asks whether it is frozen while the limits are looked at; afterwards, where the cgroup to ask was made only by then. */
async function applyUnfrozen(
  session: SandboxSession,
  launch: CheckedLaunch,
  { apply }: LaunchHooks,
): Promise<void> {
  const asked = claimedFreezer(session) === undefined ? undefined : refuseFrozen(session, launch)
  const [applied, unfrozen] = await Promise.allSettled([apply(launch.signal), asked])
  if (applied.status === 'rejected') throw applied.reason
  if (unfrozen.status === 'rejected') throw unfrozen.reason
  const { operations } = applied.value
  const isNew = operations.some(({ operation: { kind, hierarchy } }) => {
    return kind === 'make-directory' && hierarchy === claimedFreezer(session)?.id
  })
  if (asked === undefined || isNew) await refuseFrozen(session, launch)
}

async function bringUp(
  { order, timeoutMs, signal }: CheckedLaunch,
  { pid }: LaunchedProcess,
  { socket }: QemuMonitor,
  { attach, place }: LaunchHooks,
): Promise<void> {
  const hypervisor = await QemuHypervisor.connect({ socket, pid, timeoutMs, signal })
  await attach(hypervisor)
  await place()
  if (!isStopped(order.args)) await hypervisor.execute('cont', undefined, { timeoutMs, signal })
  await pause(SECOND_LOOK_MS, signal)
  await place()
}

function start(
  session: SandboxSession,
  launch: CheckedLaunch,
  monitor: QemuMonitor | undefined,
  hooks: LaunchHooks,
): Promise<LaunchedProcess> {
  const whole = monitor === undefined ? launch : { ...launch, order: withMonitor(launch.order, monitor) }
  return session.state.scope ? startInScope(session, whole, hooks) : startInPlace(session, whole)
}

function withMonitor(order: LaunchOrder, { fd }: QemuMonitor): LaunchOrder {
  const { args, stdio } = order
  const added = [...(isStopped(args) ? [] : ['-S']), ...monitorArguments(stdio.length)]
  return { ...order, args: [...args, ...added], stdio: [...stdio, fd] }
}

/** Born in cgroups that are there. */
function startInPlace(
  { host, roots, state, paths }: SandboxSession,
  { order, timeoutMs, signal }: CheckedLaunch,
): Promise<LaunchedProcess> {
  const claimed = host.hierarchies.filter(({ id }) => state.claimed.includes(id))
  const places = claimed.map(({ version, mountPoint }): LaunchPlace => {
    return { version, mountPoint, root: roots.id(mountPoint), path: paths.sandbox }
  })
  return launchProcess(order, places, { signal, timeoutMs })
}

/**
 * systemd makes a unit around a process that is there. It is a helper of ours until it becomes the VMM, so that `apply()`
 * puts it where the VMM is to be.
 */
async function startInScope(
  session: SandboxSession,
  { order, timeoutMs, signal }: CheckedLaunch,
  { apply }: LaunchHooks,
): Promise<LaunchedProcess> {
  const door = await openDoor(session.doorPath)
  // Nobody waits for a unit any longer than for the process.
  const failed = new AbortController()
  const onGivenUp = (reason: unknown) => failed.abort(reason)
  const starting = launchProcess(order, [], { signal, timeoutMs, waitAt: door.path, onGivenUp })
  starting.catch((error: unknown) => failed.abort(error))
  const inTime = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal])
  let pid: number | undefined
  try {
    pid = await Promise.race([door.arrival, starting.then(({ pid: started }) => started)])
    await session.remember(pid, 'helper')
    await startScope(session, pid, { signal: inTime })
    await apply(inTime)
    // Before it is one: should we end now, nobody starts another one beside it.
    await session.remember(pid, 'vmm')
    door.letIn()
    return await starting
  } catch (error) {
    // Where the process has failed, whatever else failed did so because of that.
    const first = failed.signal.aborted ? failed.signal.reason : error
    door.close()
    // It fails, since nobody lets it on; unless it was let on, and then it has failed already.
    await starting.then(
      (started) => started.kill('SIGKILL'),
      () => undefined,
    )
    // What is thrown already says more than that the state cannot be written either.
    if (pid !== undefined) await release(session, [pid]).catch(() => undefined)
    throw first
  } finally {
    door.close()
  }
}

/** Who has ended and was collected already needs no remembering: `exited` tells of it. */
async function remember(session: SandboxSession, { pid }: LaunchedProcess): Promise<void> {
  await session.remember(pid, 'vmm').catch((error: unknown) => {
    if (!isVmcgError(error) || error.code !== 'ERR_VMCG_VM_GONE') throw error
  })
}

/** Gives the process back when `act` goes through; else kills it, waits for its end, and forgets it. */
async function orNothing(
  session: SandboxSession,
  started: LaunchedProcess,
  act: () => Promise<void>,
): Promise<LaunchedProcess> {
  try {
    await act()
    return started
  } catch (error) {
    started.kill('SIGKILL')
    await started.exited
    for (const stream of [started.stdout, started.stderr]) stream?.destroy()
    // What is thrown already says more than that the state cannot be written either.
    await release(session, [started.pid]).catch(() => undefined)
    throw error
  }
}

/** What asking a QEMU fails with that is not up in time. The monitor is its launcher's alone: no other client holds it. */
const SILENT = ['ERR_VMCG_QMP_IN_USE', 'ERR_VMCG_QMP_TIMEOUT']

function silent({ order, timeoutMs }: CheckedLaunch, cause: VmcgError): VmcgError {
  const message = `${order.file} runs, and its monitor has not answered within ${timeoutMs} ms: it is killed`
  return new VmcgError('ERR_VMCG_TIMEOUT', message, {
    cause,
    hint: "pass a longer timeoutMs; hypervisor: 'none' for what is no QEMU",
  })
}

/** What asking a QEMU fails with that has ended, or is about to. */
const HUNG_UP = ['ERR_VMCG_QMP_CLOSED', 'ERR_VMCG_QMP_REFUSED', 'ERR_VMCG_VM_GONE']
/** A QEMU that quits closes its monitors some time before its process ends. */
const QUITS_MS = 1000

async function hasEndedItself({ exited }: LaunchedProcess, error: unknown): Promise<boolean> {
  if (!isVmcgError(error) || !HUNG_UP.includes(error.code)) return false
  return Promise.race([exited.then(() => true), pause(QUITS_MS, undefined).then(() => false)])
}

/** With what it has said on a stderr that nobody else can have read yet. */
async function ended({ order }: CheckedLaunch, started: LaunchedProcess, cause: unknown): Promise<VmcgError> {
  const { code, signal } = await started.exited
  const how = signal === null ? `with code ${code}` : `by ${signal}`
  const words = await lastWords(started)
  return new VmcgError('ERR_VMCG_VM_GONE', `${order.file} ended ${how} before its VM ran${words}`, {
    value: String(started.pid),
    hint: started.stderr === null ? "have its words here: stdio: ['ignore', 'ignore', 'pipe']" : undefined,
    cause,
  })
}

/** How much of what a VMM says before it ends goes into the error. */
const LAST_WORDS = 2000

async function lastWords({ stderr }: LaunchedProcess): Promise<string> {
  if (stderr === null) return ''
  let text = ''
  try {
    for await (const chunk of stderr) text = `${text}${chunk}`.slice(-LAST_WORDS)
  } catch {
    // What was read until then will do.
  }
  return text === '' ? '' : `: ${text.trim()}`
}
