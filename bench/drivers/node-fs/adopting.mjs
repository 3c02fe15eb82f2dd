import { mkdirSync, writeFileSync } from 'node:fs'

/** @import { Monitor } from './qmp.mjs' */

/**
 * Adopts VMs one after the other with Node's synchronous calls, as they are mostly used for cgroups.
 *
 * @param {readonly Monitor[]} monitors
 * @param {readonly string[]} args the folders to make sandboxes in, of cpu, cpuacct and cpuset; CPUs; memory nodes
 */
export async function adoptAll(monitors, [cpu = '', cpuacct = '', cpuset = '', cpus = '', nodes = '']) {
  const vcpus = await Promise.all(monitors.map((monitor) => monitor.vcpus()))
  for (const [number, { pid }] of monitors.entries()) {
    const tids = vcpus[number] ?? []
    for (const parent of [cpu, cpuacct, cpuset]) {
      const sandbox = `${parent}/${number}`
      mkdirSync(`${sandbox}/vcpu`, { recursive: true })
      if (parent === cpu) {
        writeFileSync(`${sandbox}/cpu.shares`, '2048')
        writeFileSync(`${sandbox}/vcpu/cpu.shares`, String(1024 * tids.length))
        writeFileSync(`${sandbox}/vcpu/cpu.cfs_quota_us`, '200000')
      }
      if (parent === cpuset) {
        for (const cgroup of [sandbox, `${sandbox}/vcpu`]) {
          writeFileSync(`${cgroup}/cpuset.cpus`, cpus)
          writeFileSync(`${cgroup}/cpuset.mems`, nodes)
        }
      }
      writeFileSync(`${sandbox}/cgroup.procs`, pid)
      for (const tid of tids) writeFileSync(`${sandbox}/vcpu/tasks`, String(tid))
    }
  }
}
