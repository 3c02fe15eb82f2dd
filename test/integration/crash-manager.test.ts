import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CgroupManager } from '../../src/manager'
import { atEveryStep, type Ground, isDestroyed, newGround } from '../support/interrupted-life'
import { type LifePlace, SECOND_RESOURCES } from '../support/lives'
import { cgroupsOf, inEvery } from '../support/manager-bench'
import { describeWith } from '../support/require'

jest.setTimeout(600_000)

let ground: Ground

beforeEach(async () => {
  ground = await newGround()
})
afterEach(() => ground.bench.clear())

/** As another process would: it knows where the state is kept, and nothing else. */
function restore({ stateDir, id }: LifePlace): Promise<CgroupManager> {
  return CgroupManager.restore({ version: 1, stateDir, path: ground.bench.path(id) })
}

/** Reads it from the kernel. */
function expectSecondResources({ id, pid, vcpus }: LifePlace): void {
  const { bench } = ground
  const path = bench.path(id)
  expect({
    shares: bench.read('cpu', 'cpu.shares', path),
    quota: bench.read('cpu', 'cpu.cfs_quota_us', path),
    processes: bench.read('pids', 'pids.max', path),
    frozen: bench.read('freezer', 'freezer.state', path),
  }).toEqual({ shares: '2048', quota: '-1', processes: '300', frozen: 'THAWED' })
  for (const [controller, knob] of [
    ['memory', 'memory.limit_in_bytes'],
    ['cpuset', 'cpuset.cpus'],
  ] as const) {
    expect(bench.read(controller, knob, path)).toBe(bench.read(controller, knob, bench.parent))
  }
  // Two ways of the kernel to say the same.
  const devices = bench.read('devices', 'devices.list', path).split('\n').sort()
  expect([['a *:* rwm'], ['b *:* rwm', 'c *:* rwm']]).toContainEqual(devices)
  for (const tid of [pid, ...vcpus]) expect(cgroupsOf(tid)).toEqual(inEvery(path))
}

describeWith(
  ['root', 'cgroup-v1', 'limits-v1', 'devices-v1', 'freezer-v1', 'python'],
  'a managed cgroup whose process is killed, after whichever step',
  () => {
    test('is taken up, goes on to what is asked of it now, and goes away', async () => {
      const steps = await atEveryStep('manager', ground, async (place, step) => {
        const manager = await restore(place).catch((error) => {
          if (!isDestroyed(error)) throw error
          return CgroupManager.create({
            cgroupsPath: `${place.parent}/${place.id}`,
            stateDir: place.stateDir,
          })
        })
        if (step % 2 === 0) {
          await manager.apply()
          expect((await manager.plan()).stages).toEqual([])
        }
        await manager.add(place.pid)
        await manager.apply(SECOND_RESOURCES)
        await manager.thaw()
        expectSecondResources(place)
        expect((await manager.apply()).isChanged).toBe(false)
        await manager.destroy()
        await manager.close()
      })
      expect(steps).toBeGreaterThan(50)
    })

    test('is swept away', async () => {
      const steps = await atEveryStep('manager', ground, async (place) => {
        const manager = await restore(place).catch((error) => {
          if (!isDestroyed(error)) throw error
        })
        await manager?.destroy()
        await manager?.close()
      })
      expect(steps).toBeGreaterThan(50)
    })
  },
)

describeWith(
  ['root', 'cgroup-v1', 'python'],
  'a managed cgroup with limits that have become impossible',
  () => {
    test('is taken up all the same, to be changed or destroyed', async () => {
      const { bench, standIn } = ground
      const manager = await bench.manager()
      await manager.add(standIn.pid)
      await manager.apply({ cpu: { cpus: '0' } })
      const file = join(
        bench.stateDir,
        readdirSync(bench.stateDir).find((name) => name.endsWith('.json')) ?? '',
      )
      // As if the CPU had gone since.
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"cpus":"0"', '"cpus":"4095"'))
      const again = await CgroupManager.restore(manager.toJSON())
      bench.atEnd(() => again.close())
      await expect(again.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_OUT_OF_RANGE' })
      expect((await again.apply({ cpu: { shares: 512 } })).isChanged).toBe(true)
      await again.destroy()
      expect(cgroupsOf(standIn.pid)).toEqual(ground.origin)
    })
  },
)
