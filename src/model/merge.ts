import { VmcgError } from '../errors'
import { checkList, checkObject } from './argument'
import { type ContainerConfig, type ContainerResources, containerResources } from './container'
import { type MergeCpuOptions, mergeCpu } from './cpu-merge'
import { deepFreeze } from './freeze'
import type { LinuxHugepageLimit, LinuxMemory, LinuxPids, LinuxResources } from './generated/oci'
import { addUp, isLimit } from './limits'
import { mergeBlockIo } from './merge-block-io'
import { mergeDevices } from './merge-devices'
import { quote, short } from './quote'

export interface MergeOptions extends MergeCpuOptions {
  /**
   * What the VMM needs beside the guest's memory, in bytes. Without it the memory of the sandbox is not limited, since
   * the containers' sum alone would kill the VMM.
   */
  readonly memoryOverheadBytes?: number | undefined
}

/** The limits when every container has one; otherwise nothing can be said about their sum. */
function limitsOfAll(name: string, limits: readonly (number | undefined)[]): number[] | undefined {
  const set = limits.filter((limit) => isLimit(name, limit))
  return set.length === limits.length && set.length > 0 ? set : undefined
}

function mergeMemory(
  demands: readonly (LinuxMemory | undefined)[],
  overhead: number | undefined,
): LinuxMemory | undefined {
  if (overhead === undefined) return undefined
  if (!Number.isSafeInteger(overhead) || overhead < 0) {
    throw new VmcgError(
      'ERR_VMCG_INVALID_ARGUMENT',
      `memoryOverheadBytes ${quote(overhead)} is no number of bytes`,
      {
        value: short(overhead),
      },
    )
  }
  const limits = limitsOfAll(
    'memory.limit',
    demands.map((memory) => memory?.limit),
  )
  return limits && { limit: addUp('memory.limit', [...limits, overhead]) }
}

function mergePids(demands: readonly (LinuxPids | undefined)[]): LinuxPids | undefined {
  const limits = limitsOfAll(
    'pids.limit',
    demands.map((pids) => pids?.limit),
  )
  return limits && { limit: addUp('pids.limit', limits) }
}

function mergeHugepages(demands: readonly LinuxHugepageLimit[]): LinuxHugepageLimit[] | undefined {
  const bySize = new Map<string, number>()
  for (const { pageSize, limit } of demands) {
    bySize.set(pageSize, addUp(`the limit of ${pageSize} pages`, [bySize.get(pageSize) ?? 0, limit]))
  }
  return bySize.size === 0 ? undefined : [...bySize].map(([pageSize, limit]) => ({ pageSize, limit }))
}

/** {@link mergeResources} for containers whose configs were read already by {@link containerResources}. */
export function mergeContainerResources(
  containers: readonly ContainerResources[],
  options: MergeOptions = {},
): LinuxResources {
  const demands = containers.map(({ resources }): LinuxResources => resources ?? {})
  const devices = mergeDevices(containers)
  const memory = mergeMemory(
    demands.map((demand) => demand.memory),
    options.memoryOverheadBytes,
  )
  const cpu = mergeCpu(
    demands.map((demand) => demand.cpu ?? {}),
    options,
  )
  const pids = mergePids(demands.map((demand) => demand.pids))
  const blockIO = mergeBlockIo(demands.map((demand) => demand.blockIO))
  const hugepageLimits = mergeHugepages(demands.flatMap((demand) => demand.hugepageLimits ?? []))
  return deepFreeze({
    ...(devices && { devices }),
    ...(memory && { memory }),
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(pids && { pids }),
    ...(blockIO && { blockIO }),
    ...(hugepageLimits && { hugepageLimits }),
  })
}

/**
 * What the containers of a sandbox ask for together, as the demand of one VM. Pure; the input is not kept.
 *
 * - `cpu`: as {@link mergeCpu}; a container without CPU limits, or without a config, counts as unlimited.
 * - `memory.limit`: the sum and `memoryOverheadBytes`, only when that is given and every container has a limit.
 * - `pids.limit`: the sum, only when every container has a limit.
 * - `hugepageLimits`: the sum per page size, over the containers that have one.
 * - `blockIO`: of each weight, and per device of each rate, the largest.
 * - `devices`: one deny-all, then the union of what the containers allow.
 *
 * Left out, because it belongs to a container inside the VM or has no sum: the other members of `memory` and `cpu`,
 * `network`, `rdma` and `unified`. 0 or less means no limit, but for huge pages, where 0 allows none.
 *
 * @returns Only what is set, frozen; `{}` when the containers ask for nothing.
 * @throws `ERR_VMCG_INVALID_SPEC` as {@link containerResources}, and when a container denies a device that another
 *   allows; `ERR_VMCG_INVALID_ARGUMENT` for bad options; `ERR_VMCG_OUT_OF_RANGE` when a sum is beyond 2^53.
 */
export function mergeResources(
  containers: readonly ContainerConfig[],
  options: MergeOptions = {},
): LinuxResources {
  checkList('containers', containers)
  checkObject('options', options)
  return mergeContainerResources(containers.map(containerResources), options)
}
