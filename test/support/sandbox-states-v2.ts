import type { ObservedCgroup, ObservedHierarchy } from '../../src/plan/observed'
import { LEAF, OWNER, SANDBOX } from './sandbox-states'

export interface UnifiedFields {
  readonly type?: string
  readonly enabled?: string
  readonly owner?: string | null
  readonly tids?: readonly number[]
  readonly pids?: readonly number[]
  readonly knobs?: Readonly<Record<string, string>>
}

export const V2_CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'pids']

/** The v2 hierarchy with these cgroups below its root, which hands down nothing unless `rootEnabled` says so. */
export function unified(
  cgroups: Readonly<Record<string, UnifiedFields>> = {},
  rootEnabled = '',
): ObservedHierarchy {
  const root: ObservedCgroup = {
    owner: null,
    tids: [],
    pids: [1],
    knobs: {
      'cgroup.type': { kind: 'absent' },
      'cgroup.subtree_control': { kind: 'value', value: rootEnabled },
      'cgroup.controllers': { kind: 'value', value: V2_CONTROLLERS.join(' ') },
      'cpuset.cpus.effective': { kind: 'value', value: '0-3' },
      'cpuset.mems.effective': { kind: 'value', value: '0' },
      'cpu.max': { kind: 'absent' },
      'pids.max': { kind: 'absent' },
    },
  }
  const below = Object.entries(cgroups).map(([path, fields]) => [path, cgroup(fields)])
  return {
    id: 'unified',
    version: 2,
    controllers: V2_CONTROLLERS,
    mountPoint: '/sys/fs/cgroup',
    cgroups: { '/': root, ...Object.fromEntries(below) },
  }
}

function cgroup({
  type = 'domain',
  enabled = '',
  owner = null,
  tids = [],
  pids,
  knobs = {},
}: UnifiedFields): ObservedCgroup {
  const all = { 'cgroup.type': type, 'cgroup.subtree_control': enabled, ...knobs }
  return {
    owner,
    tids,
    pids: type === 'threaded' ? undefined : (pids ?? []),
    knobs: Object.fromEntries(Object.entries(all).map(([knob, value]) => [knob, { kind: 'value', value }])),
  }
}

/** A hierarchy in which the sandbox has been made, and holds nobody yet. */
export function madeUnified(
  fields: { readonly sandbox?: UnifiedFields; readonly vcpu?: UnifiedFields } = {},
) {
  return unified(
    {
      '/kata': { enabled: 'cpu', knobs: { 'cgroup.controllers': 'cpu' } },
      [SANDBOX]: {
        type: 'domain threaded',
        enabled: 'cpu',
        owner: OWNER,
        ...fields.sandbox,
        knobs: {
          'cgroup.controllers': 'cpu',
          'cpu.weight': '100',
          'cpu.max': 'max 100000',
          ...fields.sandbox?.knobs,
        },
      },
      [LEAF]: {
        type: 'threaded',
        owner: OWNER,
        ...fields.vcpu,
        knobs: {
          'cgroup.controllers': 'cpu',
          'cpu.weight': '100',
          'cpu.max': 'max 100000',
          ...fields.vcpu?.knobs,
        },
      },
    },
    'cpu',
  )
}
