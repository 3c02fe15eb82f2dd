/** @import { Machine } from './machine.mjs' */

/** @param {Machine} machine */
export function formatMachine({ kernel, cpus: count, model, memoryGiB, node, cgroups, favordynmods, load }) {
  return (
    `Linux ${kernel}, ${count} × ${model}, ${memoryGiB} GiB, Node ${node}, load ${load.toFixed(1)}\n` +
    `cgroup ${cgroups}, ${favordynmods ? 'with' : 'without'} favordynmods`
  )
}
