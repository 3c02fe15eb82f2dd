import { readdirSync } from 'node:fs'
import type { SandboxStats } from '../../src/host/stats'
import { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { removeCgroups } from '../support/cgroups'
import { runChildUnderLimit } from '../support/child-process'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'

jest.setTimeout(patience(60_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000 })

async function applied(id: string): Promise<Sandbox> {
  const sandbox = await bench.sandbox({ id, containers: [LIMITS] })
  await sandbox.apply()
  return sandbox
}

function withoutPeriods({ vcpu, emulator, throttling: _, ...whole }: SandboxStats) {
  const { throttling: _vcpu, ...ofVcpus } = vcpu
  const { throttling: _emulator, ...ofEmulator } = emulator
  return { vcpu: ofVcpus, emulator: ofEmulator, ...whole }
}

const descriptors = () => readdirSync('/proc/self/fd').length

describeWith(['root', 'cgroups'], 'the figures of many sandboxes', () => {
  test('are those of each, in the order given, also of one that is given twice', async () => {
    const [a, b] = [await applied('a'), await applied('b')]
    const all = await Sandbox.statsAll([b, a, b])
    expect(all.map(({ sandbox }) => sandbox)).toEqual([b, a, b])
    // Nothing runs in them: their figures stand still, but for the kernel's count of periods.
    const alone = [await b.stats(), await a.stats(), await b.stats()]
    expect(all.map(({ stats }) => stats && withoutPeriods(stats))).toEqual(alone.map(withoutPeriods))
    expect(all[0]?.stats?.vcpu).toMatchObject({ quotaUs: 50_000, periodUs: 100_000 })
    expect(all[0]?.stats?.threads).toEqual({ vcpu: 0, emulator: 0 })
  })

  test('are of the groups that are asked for, and of no others', async () => {
    const sandbox = await applied('a')
    const [read] = await Sandbox.statsAll([sandbox], { groups: ['roles', 'memory'] })
    expect(Object.keys(read?.stats ?? {}).sort()).toEqual(['emulator', 'memory', 'memoryEvents', 'vcpu'])
    expect(Object.keys(await sandbox.stats({ groups: ['cpu'] }))).toEqual(['cpu', 'throttling'])
    expect(await sandbox.stats({ groups: ['threads'] })).toEqual({ threads: { vcpu: 0, emulator: 0 } })
    expect(await sandbox.stats({ groups: [] })).toEqual({})
  })

  test('follow what is written between two calls', async () => {
    const sandbox = await applied('a')
    await sandbox.stats()
    sandbox.setContainer(container({ quota: 30_000, period: 100_000 }))
    await sandbox.apply()
    expect((await sandbox.stats()).vcpu.quotaUs).toBe(30_000)
  })

  test('are zero and null for one that has been taken away, and do not keep it from going', async () => {
    const [gone, stays] = [await applied('a'), await applied('b')]
    await Sandbox.statsAll([gone, stays])
    await gone.destroy()
    const [ofGone, ofOther] = await Sandbox.statsAll([gone, stays])
    expect(ofGone?.stats).toMatchObject({ vcpu: { quotaUs: null, periodUs: 0 }, throttling: null, cpu: null })
    expect(ofOther?.stats?.vcpu.quotaUs).toBe(50_000)
  })

  test('are those of a cgroup of the same name that was made since', async () => {
    const before = await applied('a')
    await before.stats()
    await removeCgroups(`${bench.parent}/a`)
    const after = await bench.sandbox({
      id: 'a',
      containers: [container({ quota: 20_000, period: 100_000 })],
    })
    await after.apply()
    expect((await before.stats()).vcpu.quotaUs).toBe(20_000)
  })

  test('fail for a closed one alone, which has given its descriptors back', async () => {
    const [closed, open] = [await applied('a'), await applied('b')]
    await open.stats()
    const before = descriptors()
    await closed.stats()
    expect(descriptors()).toBeGreaterThan(before)
    await closed.close()
    expect(descriptors()).toBe(before)
    const [ofClosed, ofOpen] = await Sandbox.statsAll([closed, open])
    expect(ofClosed).toMatchObject({ sandbox: closed, error: { code: 'ERR_VMCG_CLOSED' } })
    expect(ofOpen?.stats?.vcpu.quotaUs).toBe(50_000)
  })

  test('are those of none where none is given', async () => {
    expect(await Sandbox.statsAll([])).toEqual([])
  })

  test('are read by many calls at once', async () => {
    const sandboxes = await Promise.all(Array.from({ length: 40 }, (_, index) => applied(`vm${index}`)))
    const calls = await Promise.all(Array.from({ length: 5 }, () => Sandbox.statsAll(sandboxes)))
    for (const { stats } of calls.flat()) expect(stats?.vcpu.quotaUs).toBe(50_000)
  })

  test('reject with the reason of an abort', async () => {
    const sandbox = await applied('a')
    await expect(Sandbox.statsAll([sandbox], { signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
  })

  test('are read with few descriptors too, and a warning says what that costs', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `vm${index}`)
    for (const id of ids) await applied(id)
    const { stdout } = runChildUnderLimit('nofile=96:96', 'stats-few-descriptors.ts', [
      bench.parent,
      bench.stateDir,
      ...ids,
    ])
    const { areRead, kept, logged } = JSON.parse(stdout)
    expect(areRead).toBe(true)
    // Half of the limit, and those of the hierarchies' mount points.
    expect(kept).toBeLessThan(48 + 10)
    expect(logged).toEqual([expect.stringContaining('RLIMIT_NOFILE')])
  })

  test.each([
    [{ groups: 'cpu' }, /groups/],
    [{ groups: ['disks'] }, /roles, threads, cpu, memory, pids, io, hugetlb, pressure/],
    [{ timeoutMs: -1 }, /timeoutMs/],
    [{ signal: {} }, /signal/],
  ])('refuse %j', async (options, message) => {
    const sandbox = await applied('a')
    const call: (list: readonly Sandbox[], options: object) => Promise<unknown> = Sandbox.statsAll
    await expect(call([sandbox], options)).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
  })

  test('refuse what is no sandbox', async () => {
    for (const list of [undefined, 'a', [{}], [null]]) {
      await expect(Reflect.apply(Sandbox.statsAll, Sandbox, [list])).rejects.toMatchObject({
        code: 'ERR_VMCG_INVALID_ARGUMENT',
      })
    }
  })
})
