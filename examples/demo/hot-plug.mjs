/** @import { QemuHypervisor } from 'vmcg' */

/**
 * One entry of `query-hotpluggable-cpus`: `qom-path` is there when the slot is taken.
 *
 * @typedef {{ type: string, props: Record<string, number>, 'qom-path'?: string }} CpuSlot
 */

/**
 * Plugs a vCPU into the first free slot. QEMU makes its thread before it answers, and sends no event.
 *
 * @param {QemuHypervisor} hypervisor
 * @param {AbortSignal} signal
 * @returns {Promise<number>} the tid of its thread
 */
export async function plugVcpu(hypervisor, signal) {
  const before = await hypervisor.threads({ signal })
  const slots = /** @type {CpuSlot[]} */ (
    await hypervisor.execute('query-hotpluggable-cpus', undefined, { signal })
  )
  // QEMU lists the highest core first.
  const slot = slots.findLast((candidate) => candidate['qom-path'] === undefined)
  if (slot === undefined) throw new Error('the VM has no free CPU slot')
  await hypervisor.execute('device_add', { driver: slot.type, id: 'plugged', ...slot.props }, { signal })
  const after = await hypervisor.threads({ signal })
  const plugged = [...after.vcpus].find(([index]) => !before.vcpus.has(index))
  if (plugged === undefined) throw new Error('the VMM made no thread for the new vCPU')
  return plugged[1]
}
