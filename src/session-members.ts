import type { Host } from './host/detect'
import { cgroupPaths } from './host/identify'
import { isSameProcess, rememberProcess } from './host/origins'
import { isSameThread, readLineage, readStartTime } from './host/process'
import { reachableOrigins } from './host/rootless'
import { sandboxPaths } from './plan/desired'
import { homePath } from './plan/teardown'
import { noThread } from './session-errors'
import type { ProcessState, SandboxState, ThreadState } from './state/state-file'

type Origins = ProcessState['origins']

/**
 * The processes of a state with one more, and where that came from. A VMM takes the place of the one before; the dead
 * are forgotten.
 *
 * @throws `ERR_VMCG_VM_GONE` where there is no such process.
 */
export async function withProcess(
  host: Host,
  state: SandboxState,
  pid: number,
  role: ProcessState['role'],
): Promise<Pick<SandboxState, 'processes'>> {
  const found = rememberProcess(pid, role, host.hierarchies)
  const known = state.processes.find((other) => other.pid === pid && isSameProcess(other))
  // A VMM does not become a helper: its threads are in the sandbox anyway, and its vCPUs would be lost.
  if (known?.role === 'vmm' && role === 'helper') return { processes: state.processes }
  const others = state.processes.filter(
    (other) => other !== known && isSameProcess(other) && !(role === 'vmm' && other.role === 'vmm'),
  )
  const thread = state.threads.find((other) => other.tid === pid && isSameThread(other))
  const origins = await originsOutside(host, state, found.origins, known ?? thread)
  return { processes: [...others, { ...found, origins }] }
}

/**
 * The threads of a state with some more that were put in by hand.
 *
 * @throws `ERR_VMCG_VM_GONE` for a thread that is not there.
 */
export async function withThreads(
  host: Host,
  state: SandboxState,
  tids: readonly number[],
): Promise<Pick<SandboxState, 'threads'>> {
  const asked = tids.map(async (tid): Promise<ThreadState> => {
    const startTime = readStartTime(tid)
    const origins = cgroupPaths(tid, host.hierarchies)
    if (startTime === undefined || origins === undefined) throw noThread(tid)
    const pid = readLineage(tid)?.tgid
    const known =
      state.threads.find((other) => other.tid === tid && other.startTime === startTime) ??
      state.processes.find((process) => process.pid === pid && isSameProcess(process))
    return { tid, startTime, origins: await originsOutside(host, state, origins, known) }
  })
  const found = await Promise.all(asked)
  const others = state.threads.filter(({ tid }) => !tids.includes(tid)).filter(isSameThread)
  return { threads: [...others, ...found] }
}

/** Who is in the sandbox already came from where it was before that, or from nobody knows where. */
function originsOutside(
  host: Host,
  state: SandboxState,
  found: Origins,
  known: { readonly origins: Origins } | undefined,
): Promise<Origins> {
  const { sandbox, parent } = sandboxPaths(state)
  const top = state.scope ? parent : sandbox
  const home = homePath(state)
  const outside = Object.entries(found).map(([hierarchy, path]) => {
    const isInside = path === top || path.startsWith(`${top}/`)
    return [hierarchy, isInside ? (known?.origins[hierarchy] ?? home) : path]
  })
  return reachableOrigins(host, Object.fromEntries(outside), home)
}
