import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { memoryLimitOf, memoryUsageOf, processLimitOf } from '../support/cgroup-limits'
import { IS_PURE_V2, ManagerBench } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWhere, describeWith } from '../support/require'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

const MB = 2 ** 20
const hasSwap = readFileSync('/proc/swaps', 'utf8').trimEnd().split('\n').length > 1
const limit = () => memoryLimitOf(bench.path())
const usage = () => memoryUsageOf(bench.path())

/** A process that touches so much memory once it is told to, and then stays. */
async function hungryChild(megabytes: number) {
  const program = [
    'import mmap, sys',
    'sys.stdin.readline()',
    `memory = mmap.mmap(-1, ${megabytes} << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)`,
    'for page in range(0, len(memory), 4096): memory[page] = 1',
    'print("touched", flush=True)',
    'sys.stdin.readline()',
  ].join('\n')
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  bench.atEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await once(child, 'spawn')
  return {
    pid: child.pid ?? 0,
    eat: async () => {
      child.stdin.write('\n')
      await once(child.stdout, 'data')
    },
  }
}

describeWith(['root', 'cgroup-v1', 'limits-v1', 'python'], 'a memory limit of cgroup v1', () => {
  describeWhere(!hasSwap, 'memory without swap', 'below what cannot be reclaimed', () => {
    test('is refused with the reason, and the old one stays; the event loop goes on meanwhile', async () => {
      const manager = await bench.manager()
      const child = await hungryChild(200)
      await manager.add(child.pid)
      await manager.apply({ memory: { limit: 400 * MB } })
      await child.eat()
      expect(usage()).toBeGreaterThan(200 * MB)

      const delays = monitorEventLoopDelay({ resolution: 5 })
      delays.enable()
      const shrinking = manager.apply({ memory: { limit: 50 * MB }, pids: { limit: 60 } })
      await expect(shrinking).rejects.toMatchObject({
        code: 'EBUSY',
        path: `${bench.directory('memory')}/memory.limit_in_bytes`,
        value: String(50 * MB),
        message: expect.stringMatching(/in use|reclaim/),
        hint: expect.stringContaining('memory.usage_in_bytes'),
      })
      delays.disable()
      // In nanoseconds. Far above what a busy host does to a loop that is free, far below a lane that blocks it for
      // good.
      expect(delays.max).toBeLessThan(5e9)
      expect(limit()).toBe(400 * MB)
      expect(processLimitOf(bench.path())).toBe(null)
      expect(usage()).toBeGreaterThan(200 * MB)

      await manager.apply({ memory: { limit: 300 * MB } })
      expect(limit()).toBe(300 * MB)
    })
  })
})

/** On v2 the kernel would take it, and kill somebody. */
describeWith(['root', 'cgroup-v2', 'python'], 'a memory limit of cgroup v2', () => {
  test('below what is in use is refused before it is written, where that is to be checked', async () => {
    const manager = await bench.manager()
    const child = await hungryChild(100)
    await manager.add(child.pid)
    await manager.apply({ memory: { limit: 400 * MB } })
    await child.eat()
    expect(usage()).toBeGreaterThan(100 * MB)
    const checked = { memory: { limit: 50 * MB, checkBeforeUpdate: true }, pids: { limit: 60 } }
    const done = await operationsDuring(() =>
      expect(manager.apply(checked)).rejects.toMatchObject({
        code: 'ERR_VMCG_OUT_OF_RANGE',
        message: expect.stringMatching(/below the \d+ bytes in use/),
      }),
    )
    expect(done).toEqual([])
    expect(limit()).toBe(400 * MB)
    await manager.apply({ memory: { limit: 300 * MB, checkBeforeUpdate: true } })
    expect(limit()).toBe(300 * MB)
    expect(await manager.pids()).toEqual([child.pid])
  })
})

describeWith(['root', 'cgroups', 'limits'], 'a memory limit', () => {
  test('is lowered and raised with that of memory and swap together, in an order that the kernel takes', async () => {
    const manager = await bench.begun()
    // v1 holds memory and swap to one limit, v2 swap alone.
    const both = () =>
      IS_PURE_V2
        ? Number(limit()) + Number(bench.read('memory', 'memory.swap.max'))
        : Number(bench.read('memory', 'memory.memsw.limit_in_bytes'))
    for (const [memory, total] of [
      [300, 500],
      [100, 100],
      [700, 700],
      [50, 600],
      [60, 60],
    ] as const) {
      await manager.apply({ memory: { limit: memory * MB, swap: total * MB } })
      expect([limit(), both()]).toEqual([memory * MB, total * MB])
    }
  })
})
