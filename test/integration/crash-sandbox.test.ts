import { Sandbox } from '../../src/sandbox'
import { atEveryStep, type Ground, isDestroyed, newGround } from '../support/interrupted-life'
import { type LifePlace, SECOND_CONTAINER } from '../support/lives'
import { cgroupsOf } from '../support/manager-bench'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(patience(600_000))

let ground: Ground

beforeEach(async () => {
  ground = await newGround()
})
afterEach(() => ground.bench.clear())

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
  const { bench } = ground
  const [sandbox, leaf] = [`${parent}/${id}`, `${parent}/${id}/vcpu`]
  expect({
    shares: bench.read('cpu', 'cpu.shares', sandbox),
    weight: bench.read('cpu', 'cpu.shares', leaf),
    quota: bench.read('cpu', 'cpu.cfs_quota_us', leaf),
    processes: bench.read('pids', 'pids.max', sandbox),
  }).toEqual({ shares: '2048', weight: '2048', quota: '-1', processes: '300' })
  for (const [controller, knob, path] of [
    ['memory', 'memory.limit_in_bytes', sandbox],
    ['cpuset', 'cpuset.cpus', sandbox],
    ['cpuset', 'cpuset.cpus', leaf],
  ] as const) {
    // Hierarchies that only the first apply needs are there when it came so far, and then hold nobody back.
    if (!bench.exists(controller, path)) continue
    expect(bench.read(controller, knob, path)).toBe(bench.read(controller, knob, parent))
  }
  expect(cgroupsOf(pid)).toMatchObject({ cpu: sandbox, cpuacct: sandbox, pids: sandbox })
  for (const vcpu of vcpus) expect(cgroupsOf(vcpu)).toMatchObject({ cpu: leaf, cpuacct: leaf, pids: sandbox })
}

describeWith(
  ['root', 'cgroup-v1', 'limits-v1', 'python'],
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
      expect(steps).toBeGreaterThan(50)
    })

    test('is swept away without its VMM being asked', async () => {
      const steps = await atEveryStep('sandbox', ground, async ({ id, parent, stateDir }) => {
        const sandbox = await Sandbox.load(id, { parent, stateDir }).catch((error) => {
          if (!isDestroyed(error)) throw error
        })
        await sandbox?.destroy()
        await sandbox?.close()
      })
      expect(steps).toBeGreaterThan(50)
    })
  },
)
