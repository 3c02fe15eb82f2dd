import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { LinuxResources } from '../../src/model/generated/oci'
import { knobOf, memoryLimitOf, processLimitOf, quotaOf } from '../support/cgroup-limits'
import { runChildWithInput } from '../support/child-process'
import { cgroupsOf, IS_PURE_V2, inEvery, MANAGED, ManagerBench } from '../support/manager-bench'
import { onOperation, operationsDuring, type PublishedOperation } from '../support/operations'
import { describeWith } from '../support/require'
import { patience, rounds } from '../support/scale'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

const CONTROLLERS = Object.keys(MANAGED)

/** Every limit at once, recognisable by one number. */
const limitsOf = (number: number): LinuxResources => ({
  cpu: { quota: number * 1000 },
  pids: { limit: number },
  memory: { limit: number * 2 ** 20 },
})

/** What a number is multiplied by in each file. */
const UNITS: Readonly<Record<string, number>> = {
  [knobOf('quota')]: 1000,
  [knobOf('processes')]: 1,
  [knobOf('memory')]: 2 ** 20,
}

/** The number of each limit that stands. They are all the same unless two applies were mixed. */
function standingNumbers(): number[] {
  return [
    Number(quotaOf(bench.path()).quota) / 1000,
    Number(processLimitOf(bench.path())),
    Number(memoryLimitOf(bench.path())) / 2 ** 20,
  ]
}

describeWith(['root', 'cgroups', 'python'], 'fifty calls at once on one manager', () => {
  test('are carried out one after the other, in their order', async () => {
    const manager = await bench.manager()
    const [staying, leaving] = [await bench.standIn(), await bench.standIn()]
    const [tid = 0] = await staying.start(1)
    const before = cgroupsOf(leaving.pid)
    const written: string[] = []
    const calls: Promise<unknown>[] = []
    await onOperation(
      ({ operation }) => {
        if (operation.kind === 'write-knob' && operation.knob === 'pids.max') written.push(operation.value)
      },
      async () => {
        for (let turn = 0; turn < 5; turn += 1) {
          calls.push(
            manager.apply(limitsOf(100 + turn)),
            manager.add(leaving.pid),
            manager.setCpuset({ cpus: '0' }),
            manager.freeze(),
            manager.thaw(),
            manager.moveToParent(),
            manager.add(staying.pid),
            IS_PURE_V2 ? manager.add(staying.pid) : manager.addThreads([tid]),
            manager.setCpuset({ cpus: '' }),
            manager.plan({ pids: { limit: 1 } }),
          )
        }
        expect(calls).toHaveLength(50)
        await Promise.all(calls)
      },
    )
    expect(written).toEqual(['100', '101', '102', '103', '104'])
    expect(standingNumbers()).toEqual([104, 104, 104])
    expect(cgroupsOf(staying.pid)).toEqual(inEvery(bench.path()))
    expect(cgroupsOf(leaving.pid)).toEqual(before)
    expect(await manager.pids()).toEqual([staying.pid])
    expect(bench.isFrozen()).toBe(false)
    expect(await operationsDuring(() => manager.apply())).toEqual([])
  })

  test('do not stop each other: those that are refused reject, the rest is done', async () => {
    const manager = await bench.manager()
    const calls = Array.from({ length: 50 }, (_, turn) =>
      manager.apply(turn % 2 === 0 ? limitsOf(100 + turn) : { pids: { limit: -2 } }),
    )
    const states = (await Promise.allSettled(calls)).map(({ status }) => status)
    expect(states).toEqual(calls.map((_, turn) => (turn % 2 === 0 ? 'fulfilled' : 'rejected')))
    expect(standingNumbers()).toEqual([148, 148, 148])
  })

  test('end at destroy and at close: those behind reject and write nothing', async () => {
    const manager = await bench.manager()
    const calls = [
      manager.apply(limitsOf(100)),
      manager.destroy(),
      manager.apply(limitsOf(200)),
      manager.destroy(),
      manager.close(),
      manager.apply(limitsOf(300)),
    ]
    const codes = (await Promise.allSettled(calls)).map((result) =>
      result.status === 'rejected' ? Reflect.get(Object(result.reason), 'code') : 'done',
    )
    expect(codes).toEqual(['done', 'done', 'ERR_VMCG_DESTROYED', 'done', 'done', 'ERR_VMCG_CLOSED'])
    for (const name of CONTROLLERS) expect([name, bench.exists(name)]).toEqual([name, false])
    expect(readdirSync(bench.stateDir)).toEqual([])
  })
})

describeWith(['root', 'cgroups'], 'two objects of one cgroup', () => {
  test('never mix their writes', async () => {
    const [one, two] = [await bench.manager(), await bench.manager()]
    const seen: PublishedOperation[] = []
    await onOperation(
      (operation) => seen.push(operation),
      () =>
        Promise.all(
          Array.from({ length: 12 }, (_, turn) => (turn % 2 === 0 ? one : two).apply(limitsOf(100 + turn))),
        ),
    )
    const numbers = seen.flatMap(({ operation }) => {
      const unit = operation.kind === 'write-knob' ? UNITS[operation.knob] : undefined
      // Of quota and period, where they are in one file, the quota.
      return operation.kind === 'write-knob' && unit !== undefined
        ? [Number(operation.value.split(' ')[0]) / unit]
        : []
    })
    // Three in a row, each time.
    const turns = numbers.filter((number, index) => number !== numbers[index - 1])
    expect(turns).toHaveLength(12)
    expect(new Set(turns).size).toBe(12)
    expect(new Set(standingNumbers()).size).toBe(1)
  })
})

type Turn = readonly [begin: number, end: number]

/** Lets two processes apply to these cgroups at the same time. @returns when each of them wrote */
async function race(paths: readonly [string, string], turns: number): Promise<readonly Turn[][]> {
  const children = paths.map((path, index) => {
    const child = runChildWithInput('apply-in-turns.ts', [
      path,
      bench.stateDir,
      String(100 * (index + 1)),
      String(turns),
    ])
    const ended = once(child, 'exit')
    bench.atEnd(async () => {
      child.kill('SIGKILL')
      await ended
    })
    return { stdin: child.stdin, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
  })
  for (const { lines } of children) expect((await lines.next()).value).toBe('ready')
  for (const { stdin } of children) stdin.write('go\n')
  return Promise.all(children.map(async ({ lines }) => JSON.parse(String((await lines.next()).value))))
}

/** Pairs of turns, one of each process, of which neither had ended when the other began. */
function overlaps([ours = [], theirs = []]: readonly Turn[][]): number {
  return ours.flatMap(([begin, end]) => theirs.filter(([b, e]) => begin <= e && b <= end)).length
}

describeWith(['root', 'cgroups'], 'two processes on one cgroup', () => {
  const TURNS = rounds(40, 8)

  test('never write at the same time, and leave the limits of one of them', async () => {
    const path = bench.cgroupsPath()
    const turns = await race([path, path], TURNS)
    for (const own of turns) expect(own).toHaveLength(TURNS)
    expect(overlaps(turns)).toBe(0)
    const numbers = standingNumbers()
    expect(new Set(numbers).size).toBe(1)
    expect([100 + TURNS - 1, 200 + TURNS - 1]).toContain(numbers[0])
  })

  test('would be seen to, if they did: on two cgroups they write at the same time', async () => {
    // Each writes for a small part of its turn: on a busy host it takes many turns for two of them to meet.
    const deadline = Date.now() + patience(30_000)
    let met = 0
    while (met === 0 && Date.now() < deadline)
      met = overlaps(await race([bench.cgroupsPath(), bench.cgroupsPath('two')], TURNS))
    expect(met).toBeGreaterThan(0)
  })
})
