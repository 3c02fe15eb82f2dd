import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CgroupManager } from '../../src/manager'
import type { LinuxResources } from '../../src/model/generated/oci'
import { IS_PURE_V2, ManagerBench } from '../support/manager-bench'
import { describeWith } from '../support/require'

/** Such that the parent hands a controller of v2 down, and may take no processes any more. */
const LIMITED: LinuxResources = IS_PURE_V2
  ? { pids: { limit: 50 } }
  : { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }

let bench: ManagerBench
let manager: CgroupManager
let pid: number

/** A process that somebody else has put in, in every hierarchy: nobody knows where it came from. */
beforeEach(async () => {
  bench = new ManagerBench()
  manager = await bench.manager()
  await manager.apply(LIMITED)
  ;({ pid } = await bench.child(['sleep', '1000']))
  for (const directory of Object.values(manager.paths))
    writeFileSync(join(directory, 'cgroup.procs'), String(pid), { flag: 'r+' })
})
afterEach(() => bench.clear())

describeWith(
  ['root', 'cgroups', 'freezer', 'unified'],
  'with a process inside that could be given back to nobody',
  () => {
    test('freeze and thaw go on: nobody is to leave', async () => {
      await manager.freeze()
      expect(bench.isFrozen()).toBe(true)
      await manager.thaw()
      expect(bench.isFrozen()).toBe(false)
    })
  },
)

describeWith(
  ['root', 'cgroup-v1', 'freezer-v1', 'unified'],
  'the same, frozen by a process that ended',
  () => {
    test('is thawed by whoever acts next', async () => {
      const file = stateFile()
      const standstill = { freezer: 'freezer', hierarchy: 'devices', path: bench.path(), allow: [] }
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), standstill }))
      bench.write('freezer', 'freezer.state', 'FROZEN')
      // Else it could not be killed.
      bench.atEnd(() => bench.write('freezer', 'freezer.state', 'THAWED'))
      await manager.apply()
      expect(bench.isFrozen()).toBe(false)
      expect(await manager.pids()).toEqual([pid])
    })
  },
)

function stateFile(): string {
  return join(bench.stateDir, readdirSync(bench.stateDir).find((name) => name.endsWith('.json')) ?? '')
}
