import type { Desired } from '../../src/plan/desired'
import type { Observed, ObservedCgroup, ObservedHierarchy, ObservedProcess } from '../../src/plan/observed'

/** One sandbox for the tests of plan and engine: its cgroups, its nonce, and a VMM with two vCPUs. */
export const OWNER = 'nonce-of-vm1'
export const SANDBOX = '/kata/vm1'
export const LEAF = '/kata/vm1/vcpu'
export const VMM = 100
export const IOTHREAD = 101
export const VCPUS = [102, 103]
export const VMM_THREADS = [VMM, IOTHREAD, ...VCPUS]

/** What a sandbox without containers and without a VM asks for, but for `changes`. */
export function desired(changes: Partial<Desired> = {}): Desired {
  return {
    id: 'vm1',
    parent: '/kata',
    owner: OWNER,
    tagAttribute: 'trusted.vmcg',
    resources: {},
    claimed: [],
    takenOver: [],
    managed: [],
    devices: null,
    unsupported: 'error',
    hasLeaf: true,
    threads: [],
    ownPid: 1,
    vmm: null,
    helpers: [],
    vcpus: [],
    ...changes,
  }
}

export const withVm: Partial<Desired> = { vmm: VMM, vcpus: VCPUS }

export interface CgroupFields {
  readonly owner?: string | null
  readonly tids?: readonly number[]
  /** Knobs that differ from the root's. */
  readonly knobs?: Readonly<Record<string, string>>
}

const ROOT_KNOBS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: { 'cpu.shares': '1024', 'cpu.cfs_quota_us': '-1', 'cpu.cfs_period_us': '100000' },
  cpuset: { 'cpuset.cpus': '0-3', 'cpuset.mems': '0' },
}

/** A hierarchy with these cgroups below its root. Its id names the controllers: `'cpu'`, `'cpu,cpuacct'`. */
export function hierarchy(
  id: string,
  cgroups: Readonly<Record<string, CgroupFields>> = {},
): ObservedHierarchy {
  const controllers = id.split(',')
  const defaults = Object.fromEntries(
    controllers.flatMap((controller) => Object.entries(ROOT_KNOBS[controller] ?? {})),
  )
  const cgroup = ({ owner = null, tids = [], knobs = {} }: CgroupFields): ObservedCgroup => ({
    owner,
    tids,
    knobs: Object.fromEntries(
      Object.entries({ ...defaults, ...knobs }).map(([knob, value]) => [knob, { kind: 'value', value }]),
    ),
  })
  return {
    id,
    version: 1,
    controllers,
    mountPoint: `/sys/fs/cgroup/${id}`,
    cgroups: Object.fromEntries(
      Object.entries({ '/': {}, ...cgroups }).map(([path, fields]) => [path, cgroup(fields)]),
    ),
  }
}

/** A hierarchy in which the sandbox's directories have been made and tagged. */
export function madeHierarchy(
  id: string,
  fields: { readonly sandbox?: CgroupFields; readonly vcpu?: CgroupFields } = {},
): ObservedHierarchy {
  return hierarchy(id, {
    '/kata': {},
    [SANDBOX]: { owner: OWNER, ...fields.sandbox },
    [LEAF]: { owner: OWNER, ...fields.vcpu },
  })
}

export function processOf(pid: number, tids: readonly number[] = [pid]): ObservedProcess {
  return { pid, startTime: pid, threads: tids.map((tid) => ({ tid, startTime: tid, name: `t${tid}` })) }
}

export function observed(
  hierarchies: readonly ObservedHierarchy[],
  processes: readonly ObservedProcess[] = [],
): Observed {
  return { hierarchies, processes }
}

export const vmm = processOf(VMM, VMM_THREADS)

/** The threads in a cgroup, as `tasks` would list them; undefined where there is no such cgroup. */
export function tidsIn(state: Observed, id: string, path: string): readonly number[] | undefined {
  return state.hierarchies.find((one) => one.id === id)?.cgroups[path]?.tids
}
