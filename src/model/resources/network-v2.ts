import type { LinuxNetwork } from '../generated/oci'
import { entries, integer } from './fields'
import type { DemandContext } from './knob'
import { noKnobOnV2 } from './unsupported'

/** Whatever `linux.resources.network` asks for has no knob on v2: `net_cls` and `net_prio` were left behind on v1. */
export function refuseNetwork(network: LinuxNetwork, { onUnsupported }: DemandContext): void {
  const why = 'traffic is told apart by the cgroup itself there'
  const hint = 'match the cgroup in a firewall rule (nft: socket cgroupv2), or attach an eBPF program'
  const classId = integer('network.classID', network.classID, { min: 0, max: 2 ** 32 - 1 })
  if (classId !== undefined && classId > 0) onUnsupported(noKnobOnV2('network.classID', classId, why, hint))
  for (const [field, { name }] of entries('network.priorities', network.priorities)) {
    onUnsupported(noKnobOnV2(field, name, why, hint))
  }
}
