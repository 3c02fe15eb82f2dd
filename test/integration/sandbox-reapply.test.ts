import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import {
  CONTROLLERS,
  everywhere,
  isUnified,
  makeCgroup,
  makeThreaded,
  moveProcess,
  moveThread,
  placeOf,
  threadsOf,
} from '../support/cgroups'
import { describeWith } from '../support/require'
import { type Sampler, startSampler, type Watched } from '../support/sampler'
import { patience, rounds } from '../support/scale'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(patience(240_000))

let bench: Bench
let sampler: Sampler

beforeEach(async () => {
  bench = new Bench()
  sampler = await startSampler()
  bench.atEnd(() => sampler.stop())
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000, cpus: '0' })

function watchedIn(tids: readonly number[]): Watched[] {
  return tids.map((tid) => ({ tid, leaf: `${bench.parent}/vm/vcpu` }))
}

/** The update of a naive manager: the whole process into the sandbox, then each vCPU back into the leaf. */
function placeNaively(pid: number, vcpus: readonly number[]): void {
  moveProcess(`${bench.parent}/vm`, pid)
  for (const tid of vcpus) moveThread(`${bench.parent}/vm/vcpu`, tid)
}

/**
 * Two cgroups that a single thread can be led astray to, where vmcg has to fetch it from. On v2 it stays below the
 * cgroup of its process: one is somebody's beside the leaf, and the other the leaf itself.
 */
function makeAstray(): readonly [string, string] {
  if (!isUnified()) {
    makeCgroup(`${bench.parent}/elsewhere`)
    return [`${bench.parent}/elsewhere`, bench.parent]
  }
  makeThreaded(`${bench.parent}/vm/elsewhere`)
  return [`${bench.parent}/vm/elsewhere`, `${bench.parent}/vm/vcpu`]
}

/** What the sampler must see if it is any good: some of a hundred updates that pull the vCPUs out for a moment. */
async function expectSamplerCatches(pid: number, vcpus: readonly number[]): Promise<void> {
  await sampler.watch(watchedIn(vcpus))
  for (let round = 0; round < 100; round += 1) placeNaively(pid, vcpus)
  expect((await sampler.watch([])).sightings).toBeGreaterThan(0)
}

async function expectNothingSeen(vcpus: readonly number[], leastLooks: number): Promise<void> {
  const { looks, sightings, examples } = await sampler.watch([])
  expect({ sightings, examples }).toEqual({ sightings: 0, examples: [] })
  expect(looks).toBeGreaterThan(leastLooks)
  for (const tid of vcpus) expect(placeOf(tid)).toEqual(everywhere(`${bench.parent}/vm/vcpu`))
}

describeWith(['root', 'cgroups', 'qemu'], 'the vCPUs of a QEMU', () => {
  test('are never outside of their leaf while 700 refreshes fetch strays and hot-plugged vCPUs', async () => {
    const qemu = await bench.qemu({ smp: 2, maxcpus: 6 })
    await qemu.waitForSpin()
    const hypervisor = await bench.connect(qemu)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisor)
    const vcpus = [...(await sandbox.apply()).placed]
    const astray = makeAstray()
    bench.atEnd(qemu.kill)

    const plugVcpu = async (core: number) => {
      const cpu = { driver: 'qemu64-x86_64-cpu', id: `cpu${core}`, 'socket-id': 0, 'thread-id': 0 }
      await hypervisor.execute('device_add', { ...cpu, 'core-id': core })
      const { placed } = await sandbox.refresh()
      expect(placed).toHaveLength(1)
      vcpus.push(...placed)
      await expectNothingSeen([], 0)
      await sampler.watch(watchedIn(vcpus))
    }
    const strayOf = (round: number): number => {
      const others = threadsOf(qemu.pid).filter(({ tid }) => !vcpus.includes(tid))
      return others[round % others.length]?.tid ?? qemu.pid
    }
    const all = rounds(700, 28)
    const quarter = Math.floor(all / 4)
    await sampler.watch(watchedIn(vcpus))
    for (let round = 0; round < all; round += 1) {
      if (round % quarter === Math.floor(quarter / 2)) {
        await plugVcpu(vcpus.length)
        continue
      }
      const stray = strayOf(round)
      moveThread(astray[round % 2] ?? '', stray, CONTROLLERS.slice(round % CONTROLLERS.length))
      await sandbox.refresh()
      expect(placeOf(stray)).toEqual(everywhere(`${bench.parent}/vm`))
    }
    expect(vcpus).toHaveLength(6)
    await expectNothingSeen(vcpus, 10)
    await expectSamplerCatches(qemu.pid, vcpus)
  })
})

describeWith(['root', 'cgroups', 'python'], 'the vCPUs of a VMM that keeps making threads', () => {
  async function refreshed(sandbox: Sandbox): Promise<void> {
    const { left, placed } = await sandbox.refresh()
    expect({ left: left.filter(({ code }) => code !== 'EAGAIN'), placed }).toEqual({ left: [], placed: [] })
  }

  test('are never outside of their leaf while 300 refreshes meet short-lived threads', async () => {
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(4)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    await vmm.churn(4)
    await sandbox.apply()
    await sampler.watch(watchedIn(vcpus))
    const [astray] = makeAstray()
    for (let round = 0; round < rounds(300); round += 1) {
      moveThread(astray, vmm.pid)
      await refreshed(sandbox)
      expect(placeOf(vmm.pid)).toEqual(everywhere(`${bench.parent}/vm`))
    }
    await expectNothingSeen(vcpus, 10)
    await expectSamplerCatches(vmm.pid, vcpus)
    await vmm.churn(0)
  })
})
