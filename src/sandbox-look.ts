import type { TeardownLook } from './engine/drain'
import type { Roots, SubmitOptions } from './engine/lane'
import type { Look } from './engine/settle'
import { turns } from './engine/turns'
import { VmcgError } from './errors'
import type { Host } from './host/detect'
import type { Hierarchy } from './host/hierarchies'
import { hugePageSizes } from './host/huge-pages'
import { type ObserveRequest, observe } from './host/observe'
import { isSameThread } from './host/process'
import { managerHierarchies, sandboxHierarchies } from './host/sandbox-hierarchies'
import { askThreads } from './hypervisor/ask-threads'
import type { Hypervisor, HypervisorThreads } from './hypervisor/hypervisor'
import type { LinuxResources } from './model/generated/oci'
import { type Desired, isInScope, sandboxPaths } from './plan/desired'
import { neededKnobs } from './plan/needed-controllers'
import { type Observed, pathChain } from './plan/observed'
import { ownPaths } from './plan/own-cgroups'
import { served } from './plan/served'
import {
  homePath,
  limitedThreads,
  membersPaths,
  originPaths,
  planTeardown,
  type TeardownOptions,
} from './plan/teardown'
import { versionsIn } from './plan/versions'
import type { ProcessState, SandboxState } from './state/state-file'

export interface LookOptions extends SubmitOptions {
  /** Only to find out whether all is as expected: the ids of threads will do. @default false */
  readonly isBrief?: boolean | undefined
}

export interface SandboxLook extends Look {
  /** iothread id → host tid, as the hypervisor reports them. */
  readonly iothreads: ReadonlyMap<string, number>
}

/** What a look at a sandbox needs to know. */
export interface LookContext {
  readonly host: Host
  readonly roots: Roots
  readonly state: SandboxState
}

/** What is asked of a sandbox: merged resources, and the device rules that they come to (null: not controlled). */
export interface Wanted {
  readonly resources: LinuxResources
  readonly devices: Desired['devices']
  readonly unsupported: Desired['unsupported']
}

/**
 * Asks the hypervisor first, then the kernel in one batch: nothing is written between the first question and the last.
 *
 * @throws `ERR_VMCG_VM_GONE` when the VMM that is attached has ended; what the hypervisor and the kernel throw.
 */
export async function lookAtSandbox(
  context: LookContext,
  wanted: Wanted,
  hypervisor: Hypervisor | undefined,
  options: LookOptions,
): Promise<SandboxLook> {
  const question = questionOf(context, wanted, hypervisor, options.isBrief)
  const threads = hypervisor && (await askThreads(hypervisor, options))
  // Many monitors may have answered in the same turn.
  if (threads !== undefined) await turns.next()
  const observed = await observe(context.roots, question.request, options)
  return lookFrom(context.state, wanted, question, threads, observed)
}

interface Question {
  readonly request: ObserveRequest
  readonly resources: Desired['resources']
  readonly leftOut: readonly string[]
  readonly vmm: ProcessState | undefined
  readonly helpers: readonly ProcessState[]
}

/** @throws as {@link attachedVmm}; for what the host has nothing for. */
function questionOf(
  { host, state }: LookContext,
  { resources: asked, devices, unsupported }: Wanted,
  hypervisor: Hypervisor | undefined,
  isBrief: boolean | undefined,
): Question {
  const versionOf = versionsIn(host.hierarchies)
  const means = { versionOf, withheld: host.withheld ?? [], hugePageSizes: () => hugePageSizes() }
  const { resources, leftOut } = served(asked, unsupported, means)
  const vmm = hypervisor && attachedVmm(state, hypervisor)
  const helpers = state.processes.filter(({ role }) => role === 'helper')
  const { managed, program } = state
  const wanted = { resources, managed, devices, program }
  const { parent } = sandboxPaths(state)
  const request = {
    hierarchies: state.hasLeaf
      ? sandboxHierarchies(host, wanted)
      : managerHierarchies(host, wanted, state.takenOver),
    surroundings: () => pathChain(parent),
    own: (hierarchy: Hierarchy) => ownPaths(state, hierarchy),
    knobs: neededKnobs(wanted, versionOf),
    tagAttribute: state.tagAttribute,
    devicePrograms: host.controller('devices') === undefined && (devices !== null || program !== null),
    isMade: (hierarchy: string) => state.claimed.includes(hierarchy),
    isBrief,
    pids: [...(vmm === undefined ? [] : [vmm]), ...helpers].map(({ pid }) => pid),
  }
  return { request, resources, leftOut, vmm, helpers }
}

/** @throws `ERR_VMCG_VM_GONE` */
function lookFrom(
  state: SandboxState,
  { devices, unsupported }: Wanted,
  { resources, leftOut, vmm, helpers }: Question,
  threads: HypervisorThreads | undefined,
  observed: Observed,
): SandboxLook {
  const vmmThreads = vmm && find(observed, vmm)?.threads
  if (vmm !== undefined && vmmThreads === undefined) throw vmGone(state.id, vmm.pid)
  const alive = new Set(vmmThreads?.map(({ tid }) => tid))
  const reported = [...new Set(threads?.vcpus.values())].filter((tid) => tid > 0).sort((a, b) => a - b)
  return {
    observed,
    iothreads: threads?.iothreads ?? new Map(),
    missing: reported.filter((tid) => !alive.has(tid)),
    desired: {
      id: state.id,
      parent: state.parent,
      scope: state.scope,
      owner: state.nonce,
      tagAttribute: state.tagAttribute,
      resources,
      leftOut,
      devices,
      unsupported,
      hasLeaf: state.hasLeaf,
      claimed: state.claimed,
      takenOver: state.takenOver,
      managed: state.managed,
      program: state.program,
      ownPid: process.pid,
      vmm: vmm?.pid ?? null,
      helpers: helpers.filter((helper) => find(observed, helper) !== undefined).map(({ pid }) => pid),
      vcpus: reported.filter((tid) => alive.has(tid)),
      threads: state.threads.filter(isSameThread).map(({ tid }) => tid),
    },
  }
}

/**
 * Looks at everything that the state claims, and at where systemd has put the processes, and plans to take it away.
 *
 * @param stranded as for `planTeardown`.
 */
export async function lookAtTeardown(
  { host, roots, state }: LookContext,
  options: SubmitOptions,
  stranded?: TeardownOptions['stranded'],
): Promise<TeardownLook> {
  const paths = sandboxPaths(state)
  const everyOrigin = [...state.processes, ...state.threads].map(({ origins }) => origins)
  const observed = await observe(
    roots,
    {
      hierarchies: host.hierarchies.filter(({ id }) => state.claimed.includes(id) || isInScope(state, id)),
      surroundings: (hierarchy) => [paths.parent, homePath(state), ...originPaths(everyOrigin, hierarchy)],
      own: (hierarchy) => membersPaths(state, hierarchy),
      knobs: [],
      tagAttribute: state.tagAttribute,
      pids: state.processes.map(({ pid }) => pid),
    },
    options,
  )
  const alive = state.processes.filter((process) => find(observed, process) !== undefined)
  const origins = new Map(alive.map(({ pid, origins: of }) => [pid, of]))
  const threadOrigins = new Map(state.threads.filter(isSameThread).map(({ tid, origins: of }) => [tid, of]))
  const desired = { ...state, owner: state.nonce }
  return {
    observed,
    plan: planTeardown(desired, observed, origins, { threadOrigins, everyOrigin, stranded }),
    limited: limitedThreads(state, observed),
  }
}

/** The process that the state remembers for this hypervisor. Another object may have attached another VMM since. */
function attachedVmm(state: SandboxState, hypervisor: Hypervisor): ProcessState {
  const pid = hypervisor.pid()
  const vmm = state.processes.find((process) => process.role === 'vmm' && process.pid === pid)
  if (vmm !== undefined) return vmm
  throw new VmcgError('ERR_VMCG_VM_GONE', `sandbox ${state.id}: process ${pid} is no longer its VMM`, {
    value: String(pid),
    hint: 'it has ended, or another VMM was attached in its place; attach() the one that counts',
  })
}

/** A process with the pid of one that is remembered is another one when it started at another time. */
function find(observed: Observed, { pid, startTime }: ProcessState) {
  return observed.processes.find((process) => process.pid === pid && process.startTime === startTime)
}

function vmGone(id: string, pid: number): VmcgError {
  return new VmcgError('ERR_VMCG_VM_GONE', `sandbox ${id}: its VMM, process ${pid}, has ended`, {
    value: String(pid),
    hint: 'destroy() still works; to go on with a new VMM, attach() it',
  })
}
