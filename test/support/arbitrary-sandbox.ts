import * as fc from 'fast-check'
import { formatCpuList, parseCpuList } from '../../src/model/cpu-list'
import type { Desired } from '../../src/plan/desired'
import { sandboxPaths } from '../../src/plan/desired'
import {
  type Observed,
  type ObservedCgroup,
  type ObservedHierarchy,
  pathChain,
} from '../../src/plan/observed'
import type { Origins } from '../../src/plan/teardown'
import { OWNER, processOf } from './sandbox-states'

/** A sandbox's wishes and a state that a v1 kernel can be in, drawn at random but always consistent. */
export interface Situation {
  readonly desired: Desired
  readonly observed: Observed
  readonly origins: Origins
}

type Draw = fc.GeneratorValue

const LAYOUTS = [
  ['cpu'],
  ['cpu', 'cpuacct'],
  ['cpu,cpuacct'],
  ['cpu,cpuacct', 'cpuset'],
  ['cpu', 'cpuacct', 'cpuset'],
  ['cpu,cpuset'],
]
const CPUS = [0, 1, 2, 3]
const VMM = 100
const HELPERS = [200, 300]
const STRANGER = 400
const ORIGIN = '/origin'

interface Bandwidth {
  readonly quota: number
  readonly period: number
}

export function drawSituation(draw: Draw): Situation {
  const layout = drawOne(draw, LAYOUTS)
  const parent = drawOne(draw, ['/kata', '/', '/a/b'])
  const paths = sandboxPaths({ id: 'vm1', parent })
  const processes = [VMM, ...HELPERS, STRANGER].map((pid) =>
    processOf(
      pid,
      Array.from({ length: draw(fc.integer, { min: 1, max: 6 }) }, (_, index) => pid + index),
    ),
  )
  const tids = processes.flatMap(({ threads }) => threads.map(({ tid }) => tid))
  const vmmTids = processes
    .filter(({ pid }) => pid === VMM)
    .flatMap(({ threads }) => threads.map(({ tid }) => tid))
  const claimed = drawPart(draw, layout)
  const drawn = layout.map((id) => drawHierarchy(draw, id, paths, tids, claimed.includes(id)))
  const caps = drawn.map(({ cap }) => cap).filter((cap) => cap !== undefined)
  const hierarchies = drawn.map(({ hierarchy }) => hierarchy)
  const cpuset = hierarchies.find(({ controllers }) => controllers.includes('cpuset'))
  return {
    observed: { hierarchies, processes },
    origins: new Map(
      drawPart(draw, processes).map(({ pid }) => [
        pid,
        Object.fromEntries(layout.map((id) => [id, drawOne(draw, ['/', ORIGIN, '/vanished'])])),
      ]),
    ),
    desired: {
      id: 'vm1',
      parent,
      owner: OWNER,
      tagAttribute: 'trusted.vmcg',
      claimed,
      takenOver: [],
      ownPid: 1,
      vmm: draw(fc.boolean) ? VMM : null,
      helpers: drawPart(draw, HELPERS),
      devices: null,
      unsupported: 'error',
      hasLeaf: true,
      threads: [],
      vcpus: drawPart(draw, vmmTids),
      managed: hierarchies.flatMap(({ id, cgroups }) =>
        [paths.sandbox, paths.vcpu].flatMap((path) =>
          drawPart(draw, Object.keys(cgroups[path]?.knobs ?? {})).map((knob) => ({
            hierarchy: id,
            path,
            knob,
            value: '0',
          })),
        ),
      ),
      resources: {
        cpu: {
          ...(draw(fc.boolean) && { shares: draw(fc.integer, { min: 0, max: 300_000 }) }),
          ...(draw(fc.boolean) && drawBandwidth(draw, caps[0])),
          ...(cpuset !== undefined && draw(fc.boolean) && { cpus: drawAsked(draw, cpuset, parent) }),
        },
      },
    },
  }
}

/** The chain of cgroups as far down as it has been made, each within what the one above it has. */
function drawHierarchy(
  draw: Draw,
  id: string,
  paths: { readonly parent: string; readonly sandbox: string; readonly vcpu: string },
  tids: readonly number[],
  isClaimed: boolean,
): { readonly hierarchy: ObservedHierarchy; readonly cap: Bandwidth | undefined } {
  const controllers = id.split(',')
  const chain = [...pathChain(paths.parent), paths.sandbox, paths.vcpu]
  const made = chain.slice(0, draw(fc.integer, { min: 1, max: chain.length }))
  const places = [...(made.includes(paths.sandbox) ? [paths.sandbox] : []), ...made.slice(chain.length - 1)]
  const cgroups: Record<string, ObservedCgroup> = {}
  let cap: Bandwidth | undefined
  let cpus = CPUS
  const placed = tids.map((tid) => [tid, drawOne(draw, ['', ...places])] as const)
  for (const path of made) {
    const isOwn = path === paths.sandbox || path === paths.vcpu
    const here = placed.filter(([, place]) => place === path).map(([tid]) => tid)
    const below = placed.some(([, place]) => place.startsWith(path))
    const hasQuota = controllers.includes('cpu') && path !== '/' && draw(fc.boolean)
    const own = hasQuota ? drawBandwidth(draw, cap) : undefined
    if (path !== '/') cpus = drawCpus(draw, cpus, below)
    const isUntagged = isOwn && isClaimed && here.length === 0 && draw(fc.boolean)
    cgroups[path] = {
      owner: isOwn && !isUntagged ? OWNER : null,
      tids: here,
      knobs: knobs(controllers, own, cpus, String(draw(fc.integer, { min: 2, max: 262_144 }))),
    }
    if (path !== paths.vcpu) cap = own ?? cap
  }
  cgroups[ORIGIN] = { owner: null, tids: [], knobs: knobs(controllers, undefined, CPUS, '1024') }
  return {
    hierarchy: { id, version: 1, controllers, mountPoint: `/sys/fs/cgroup/${id}`, cgroups },
    cap,
  }
}

function knobs(
  controllers: readonly string[],
  bandwidth: Bandwidth | undefined,
  cpus: readonly number[],
  shares: string,
): ObservedCgroup['knobs'] {
  const values = {
    ...(controllers.includes('cpu') && {
      'cpu.shares': shares,
      'cpu.cfs_quota_us': String(bandwidth?.quota ?? -1),
      'cpu.cfs_period_us': String(bandwidth?.period ?? 100_000),
    }),
    ...(controllers.includes('cpuset') && {
      'cpuset.cpus': formatCpuList(cpus),
      'cpuset.mems': cpus.length === 0 ? '' : '0',
    }),
  }
  return Object.fromEntries(Object.entries(values).map(([knob, value]) => [knob, { kind: 'value', value }]))
}

/** A quota and a period in the kernel's range, of no greater ratio than `cap`. */
function drawBandwidth(draw: Draw, cap: Bandwidth = { quota: 8_000_000, period: 1_000_000 }): Bandwidth {
  const shortest = Math.max(1000, Math.ceil((1000 * cap.period) / cap.quota))
  const period = draw(fc.integer, { min: shortest, max: 1_000_000 })
  const most = Math.floor((cap.quota * period) / cap.period)
  return { quota: draw(fc.integer, { min: 1000, max: most }), period }
}

function drawCpus(draw: Draw, above: readonly number[], isPopulated: boolean): number[] {
  const [first] = above
  const drawn = drawPart(draw, above)
  return isPopulated && drawn.length === 0 && first !== undefined ? [first] : drawn
}

/** CPUs that the sandbox's parent has, or will have once it is filled. */
function drawAsked(draw: Draw, { cgroups }: ObservedHierarchy, parent: string): string {
  const filled = pathChain(parent).flatMap((path) => {
    const state = cgroups[path]?.knobs['cpuset.cpus']
    return state?.kind === 'value' && state.value !== '' ? [state.value] : []
  })
  return drawPart(draw, parseCpuList(filled.at(-1) ?? '')).join(',')
}

function drawOne<T>(draw: Draw, values: readonly T[]): T {
  return draw(oneOf<T>, values)
}

function oneOf<T>(values: readonly T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...values)
}

function drawPart<T>(draw: Draw, whole: readonly T[]): T[] {
  return draw(fc.subarray<T>, [...whole])
}
