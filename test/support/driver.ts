import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cgroupMounts } from './cgroups'
import { waitFor } from './residents'

/** Whether the tests of this run have systemd make the cgroups that ours are in. */
export const IS_WITH_SYSTEMD = process.env['VMCG_DRIVER'] === 'systemd'

/** Where systemd 252 makes the cgroup of a unit on v1, and takes it away, one after the other. */
const MADE_BY_SYSTEMD = ['name=systemd', 'cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'devices']

/** Waits until systemd has taken the cgroup of a unit away, everywhere where it makes one. */
export async function untilScopeIsGone(path: string): Promise<void> {
  const mounts = cgroupMounts().filter(
    ({ type, options }) => type === 'cgroup2' || options.some((option) => MADE_BY_SYSTEMD.includes(option)),
  )
  await waitFor(
    'the end of a scope',
    () => !mounts.some(({ mountPoint }) => existsSync(join(mountPoint, path))),
  )
}
