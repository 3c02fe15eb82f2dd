import { existsSync } from 'node:fs'
import { stateFolder } from '../scenes.mjs'

/** What libsystemd's sd_booted() looks for. */
const BOOTED = '/run/systemd/system'
/** systemd is asked for so many at once. */
const AT_ONCE = 20

/** @type {import('../trial.mjs').Trial} */
export const scope = {
  name: 'scope',
  what:
    'a program runs in a scope of systemd of its own, and the scope is gone after it; `vmcg` also makes a cgroup in it, ' +
    'which the program is born in',
  unit: 'µs per scope',
  axis: 'scopes at once',
  drivers: ['systemd-run', 'vmcg'],
  cases: () => [
    { name: '1 scope', size: 1 },
    { name: `${AT_ONCE} scopes at once`, size: AT_ONCE },
  ],
  scene: async (stage, { size }) => {
    if (!existsSync(BOOTED)) return 'systemd does not run this host (npm run test:vm -- v2 --exec ...)'
    const words = String(size)
    return {
      drivers: { 'systemd-run': { args: [], words }, vmcg: { args: [stateFolder(stage)], words } },
      measure: async (driver) => Number(await driver.ask('run')) / size,
    }
  },
}
