import { Sandbox } from '../../src/sandbox'
import {
  cpusOf,
  memoryLimitOf,
  processLimitOf,
  quotaOf,
  sharesWeight,
  threadsWeight,
  weightOf,
} from '../support/cgroup-limits'
import { countedIn, isControlled, isUnified, placeOf } from '../support/cgroups'
import { atEveryStep, type Ground, isDestroyed, newGround } from '../support/interrupted-life'
import { type LifePlace, SECOND_CONTAINER } from '../support/lives'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(patience(600_000))

let ground: Ground

beforeEach(async () => {
  ground = await newGround()
})
afterEach(() => ground.bench.clear())

/** One hierarchy takes fewer steps than three. */
const leastSteps = () => (isUnified() ? 30 : 50)

/** What the life before has left, or a new sandbox where that came too early or too late. */
async function takeUp({ id, parent, stateDir, pid, vcpus }: LifePlace): Promise<Sandbox> {
  const sandbox = await Sandbox.load(id, { parent, stateDir }).catch((error) => {
    if (!isDestroyed(error)) throw error
    return Sandbox.create({ id, parent, stateDir })
  })
  await sandbox.attach(hypervisorOf(pid, () => vcpus))
  return sandbox
}

/** Reads it from the kernel. */
function expectSecondContainer({ id, parent, pid, vcpus }: LifePlace): void {
  const [sandbox, leaf] = [`${parent}/${id}`, `${parent}/${id}/vcpu`]
  expect({
    shares: weightOf(sandbox),
    weight: weightOf(leaf),
    quota: quotaOf(leaf).quota,
    processes: processLimitOf(sandbox),
    memory: memoryLimitOf(sandbox),
  }).toEqual({
    shares: sharesWeight(2048),
    weight: threadsWeight(2),
    quota: null,
    processes: 300,
    memory: null,
  })
  // What only the first apply needs is there when it came so far, and then holds nobody back.
  for (const path of [sandbox, leaf].filter((own) => isControlled(own, 'cpuset')))
    expect(cpusOf(path)).toBe(cpusOf(parent))
  expect(placeOf(pid)).toMatchObject({ cpu: sandbox, cpuacct: sandbox })
  for (const vcpu of vcpus) expect(placeOf(vcpu)).toMatchObject({ cpu: leaf, cpuacct: leaf })
  for (const tid of [pid, ...vcpus]) expect(countedIn(tid, 'pids')).toBe(sandbox)
}

describeWith(
  ['root', 'cgroups', 'limits', 'python'],
  'a sandbox whose process is killed, after whichever step',
  () => {
    test('is taken up, goes on to what is asked of it now, and goes away', async () => {
      const steps = await atEveryStep('sandbox', ground, async (place, step) => {
        const sandbox = await takeUp(place)
        if (step % 2 === 0) {
          await sandbox.apply()
          expect((await sandbox.plan()).stages).toEqual([])
        }
        sandbox.setContainer(SECOND_CONTAINER)
        await sandbox.apply()
        expectSecondContainer(place)
        expect((await sandbox.apply()).isChanged).toBe(false)
        await sandbox.destroy()
        await sandbox.close()
      })
      expect(steps).toBeGreaterThan(leastSteps())
    })

    test('is swept away without its VMM being asked', async () => {
      const steps = await atEveryStep('sandbox', ground, async ({ id, parent, stateDir }) => {
        const sandbox = await Sandbox.load(id, { parent, stateDir }).catch((error) => {
          if (!isDestroyed(error)) throw error
        })
        await sandbox?.destroy()
        await sandbox?.close()
      })
      expect(steps).toBeGreaterThan(leastSteps())
    })
  },
)
