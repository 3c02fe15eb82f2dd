import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { CgroupManager } from '../../src/manager'
import type { Standstill } from '../../src/plan/stand-still'
import {
  cpusOf,
  memoryLimitOf,
  processLimitOf,
  quotaOf,
  sharesWeight,
  weightOf,
} from '../support/cgroup-limits'
import { placesOf } from '../support/cgroups'
import { atEveryStep, type Ground, isDestroyed, newGround } from '../support/interrupted-life'
import { type LifePlace, SECOND_RESOURCES } from '../support/lives'
import { cgroupsOf, IS_PURE_V2, inEvery } from '../support/manager-bench'
import { describeWhere, describeWith } from '../support/require'
import { patience, stride } from '../support/scale'

jest.setTimeout(patience(600_000))

/** On v2 the first device rules are one step. */
const HAS_STANDSTILLS = detectHost().controller('devices') !== undefined

let ground: Ground

beforeEach(async () => {
  ground = await newGround()
})
afterEach(() => ground.bench.clear())

/** As another process would: it knows where the state is kept, and nothing else. */
function restore({ stateDir, id }: LifePlace): Promise<CgroupManager> {
  return CgroupManager.restore({ version: 1, stateDir, path: ground.bench.path(id) })
}

/** What its state says of a freeze that was begun. */
function standstillIn(stateDir: string): Standstill | null {
  const file = readdirSync(stateDir).find((name) => name.endsWith('.json'))
  return file === undefined ? null : JSON.parse(readFileSync(join(stateDir, file), 'utf8')).standstill
}

/** Reads it from the kernel. */
async function expectSecondResources({ id, pid, vcpus }: LifePlace): Promise<void> {
  const { bench } = ground
  const path = bench.path(id)
  expect({
    weight: weightOf(path),
    quota: quotaOf(path).quota,
    processes: processLimitOf(path),
    memory: memoryLimitOf(path),
    cpus: cpusOf(path),
    isFrozen: bench.isFrozen(path),
  }).toEqual({
    weight: sharesWeight(2048),
    quota: null,
    processes: 300,
    memory: null,
    cpus: cpusOf(bench.parent),
    isFrozen: false,
  })
  expect(await bench.mayOpen('/dev/kmsg', 'both', path)).toBe(true)
  for (const tid of [pid, ...vcpus]) expect(cgroupsOf(tid)).toEqual(inEvery(path))
}

describeWith(
  ['root', 'cgroups', 'limits', 'devices', 'freezer', 'python'],
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
        await expectSecondResources(place)
        expect((await manager.apply()).isChanged).toBe(false)
        await manager.destroy()
        await manager.close()
      })
      expect(steps).toBeGreaterThan(IS_PURE_V2 ? 20 : 50)
    })

    describeWhere(
      HAS_STANDSTILLS,
      'v1 hierarchy of devices',
      'in the middle of its first device rules',
      () => {
        test('leaves nobody frozen that it has frozen for its own writes, once it is taken up or swept', async () => {
          let standstills = 0
          await atEveryStep('manager', ground, async (place, step) => {
            const { bench } = ground
            const path = bench.path(place.id)
            const begun = standstillIn(place.stateDir)
            const manager = await restore(place).catch((error) => {
              if (!isDestroyed(error)) throw error
            })
            if (begun !== null) {
              standstills += 1
              expect(bench.isFrozen(path)).toBe(false)
              expect(standstillIn(place.stateDir)).toBe(null)
              // Either none of the rules is in force, or all of those that they are to end up with.
              const devices = bench.read('devices', 'devices.list', path).split('\n')
              if (devices[0] !== 'a *:* rwm') expect(devices).toEqual(expect.arrayContaining(begun.allow))
              if (step % 2 === 0) {
                await manager?.apply(SECOND_RESOURCES)
                await expectSecondResources(place)
              }
            }
            await manager?.destroy()
            await manager?.close()
          })
          // Before the freeze, after it, and after each write that follows.
          expect(standstills).toBeGreaterThanOrEqual(Math.floor(11 / stride()))
        })
      },
    )

    test('is swept away', async () => {
      const steps = await atEveryStep('manager', ground, async (place) => {
        const manager = await restore(place).catch((error) => {
          if (!isDestroyed(error)) throw error
        })
        await manager?.destroy()
        await manager?.close()
      })
      expect(steps).toBeGreaterThan(IS_PURE_V2 ? 20 : 50)
    })
  },
)

describeWith(
  ['root', 'cgroups', 'python'],
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
      expect(placesOf(standIn.pid)).toEqual(ground.origin)
    })
  },
)
