import { CgroupManager } from '../../src/manager'
import type { ContainerConfig } from '../../src/model/container'
import type { LinuxResources } from '../../src/model/generated/oci'
import { Sandbox } from '../../src/sandbox'
import { isUnified } from './cgroups'
import { hypervisorOf } from './stand-in'

/** What a life is lived with: all of it can be given to another process. */
export interface LifePlace {
  readonly parent: string
  readonly stateDir: string
  readonly id: string
  /** A process that stands in for a VMM, and its threads that stand in for vCPUs. */
  readonly pid: number
  readonly vcpus: readonly number[]
}

const MIB = 2 ** 20

function container(resources: LinuxResources): ContainerConfig {
  return { id: 'c1', spec: { linux: { resources } } }
}

/** What the first apply of a sandbox's life sets, */
const FIRST_CONTAINER = container({
  cpu: { quota: 50_000, period: 100_000, cpus: '0', shares: 512 },
  memory: { limit: 512 * MIB },
  pids: { limit: 200 },
})

/** and what the second one changes (shares, processes) and lifts (quota, CPUs, memory). */
export const SECOND_CONTAINER = container({ cpu: { shares: 2048 }, pids: { limit: 300 } })

/** Everything that a sandbox does from its making to its end. */
export async function liveAsSandbox({ parent, stateDir, id, pid, vcpus }: LifePlace): Promise<void> {
  const sandbox = await Sandbox.create({
    parent,
    stateDir,
    id,
    containers: [FIRST_CONTAINER],
    memoryOverheadBytes: 512 * MIB,
  })
  await sandbox.attach(hypervisorOf(pid, () => vcpus))
  await sandbox.apply()
  sandbox.setContainer(SECOND_CONTAINER)
  await sandbox.apply()
  await sandbox.destroy()
}

const FIRST_RESOURCES: LinuxResources = {
  cpu: { quota: 50_000, period: 100_000, cpus: '0', shares: 512 },
  memory: { limit: 512 * MIB },
  pids: { limit: 200 },
  devices: [{ allow: false, access: 'rwm' }],
}

export const SECOND_RESOURCES: LinuxResources = { cpu: { shares: 2048 }, pids: { limit: 300 } }

/** The same for a managed cgroup. */
export async function liveAsManager({ parent, stateDir, id, pid, vcpus }: LifePlace): Promise<void> {
  const manager = await CgroupManager.create({ cgroupsPath: `${parent}/${id}`, stateDir })
  // cgroup v2 parts no thread from its process.
  if (!isUnified()) await manager.addThreads(vcpus)
  await manager.add(pid)
  await manager.apply(FIRST_RESOURCES)
  await manager.addDevice('/dev/kmsg', { access: 'r' })
  await manager.removeDevice('/dev/kmsg', { access: 'r' })
  await manager.apply(SECOND_RESOURCES)
  await manager.freeze()
  await manager.thaw()
  await manager.moveToParent()
  await manager.destroy()
}
