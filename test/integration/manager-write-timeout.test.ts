import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CgroupManager } from '../../src/manager'
import { knobOf, memoryLimitOf, memoryUsageOf } from '../support/cgroup-limits'
import { ManagerBench } from '../support/manager-bench'
import { describeWith } from '../support/require'

const MIB = 2 ** 20
const MUCH = 256 * MIB
const LITTLE = 16 * MIB

let bench: ManagerBench
let folder: string

beforeEach(() => {
  bench = new ManagerBench()
  folder = mkdtempSync(join(tmpdir(), 'vmcg-test-cache-'))
})
afterEach(async () => {
  await bench.clear()
  rmSync(folder, { recursive: true })
})

/** A cgroup that is charged for a file in the page cache: to be held to less, it has to be reclaimed. */
async function fullOfCache(writeTimeoutMs: number): Promise<CgroupManager> {
  // On v2 its memory is counted once there is a limit.
  await (await bench.manager()).apply({ memory: { limit: 2 * MUCH } })
  const fill = 'echo 0 > "$1/cgroup.procs"; dd if=/dev/zero "of=$2" bs=1M count="$3" conv=fsync status=none'
  const place = [bench.directory('memory'), join(folder, 'file'), String(MUCH / MIB)]
  execFileSync('sh', ['-c', fill, 'sh', ...place])
  expect(memoryUsageOf(bench.path())).toBeGreaterThan(MUCH / 2)
  return bench.manager({ writeTimeoutMs })
}

/** A third of the time that this host takes to reclaim that much: enough to begin with it, and not to end. */
async function shortTimeMs(): Promise<number> {
  const manager = await fullOfCache(Number.POSITIVE_INFINITY)
  const { operations } = await manager.apply({ memory: { limit: LITTLE } })
  const written = operations.find(({ operation }) => operation.kind === 'write-knob')
  return Math.max(1, Math.floor((written?.microseconds ?? 0) / 3000))
}

/**
 * Holds it to less in too short a time. How long the kernel takes differs: where it was back in time it is given less, and
 * where it was not even asked, more.
 */
async function outOfTime() {
  let writeTimeoutMs = await shortTimeMs()
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    const manager = await fullOfCache(writeTimeoutMs)
    const error: unknown = await manager.apply({ memory: { limit: LITTLE } }).then(
      () => undefined,
      (reason) => reason,
    )
    const isBegun = !String(error).includes('has not begun')
    if (error !== undefined && isBegun) return { manager, error, writeTimeoutMs }
    writeTimeoutMs = isBegun ? Math.max(1, Math.floor(writeTimeoutMs / 2)) : writeTimeoutMs * 2
  }
  throw new Error(`the kernel is never at it after ${writeTimeoutMs} ms`)
}

const limit = () => memoryLimitOf(bench.path())

describeWith(['root', 'cgroups', 'limits'], 'a limit that the kernel has to reclaim memory for', () => {
  test('is an error after `writeTimeoutMs`, with what was done before; the next call waits for the kernel', async () => {
    const { manager, error, writeTimeoutMs } = await outOfTime()
    expect(error).toMatchObject({
      code: 'ERR_VMCG_TIMEOUT',
      path: `${bench.directory('memory')}/${knobOf('memory')}`,
      value: String(LITTLE),
      message: expect.stringContaining(`for ${writeTimeoutMs} ms; it goes on with it`),
      report: { looks: 1, operations: [] },
    })
    const { isChanged } = await manager.apply({ memory: { limit: LITTLE } })
    expect(limit()).toBe(LITTLE)
    expect(isChanged).toBe(false)
  })

  test('is waited for with more time, or without end', async () => {
    const manager = await fullOfCache(Number.POSITIVE_INFINITY)
    await manager.apply({ memory: { limit: LITTLE } })
    expect(limit()).toBe(LITTLE)
    expect(memoryUsageOf(bench.path())).toBeLessThanOrEqual(LITTLE)
  })

  test('ends before close() does, which refuses new calls at once', async () => {
    const manager = await fullOfCache(60_000)
    const applied = manager.apply({ memory: { limit: LITTLE } })
    let isApplied = false
    void applied.then(() => {
      isApplied = true
    })
    const closed = manager.close()
    await expect(manager.plan()).rejects.toMatchObject({ code: 'ERR_VMCG_CLOSED' })
    expect(isApplied).toBe(false)
    await closed
    expect(isApplied).toBe(true)
    expect(limit()).toBe(LITTLE)
  })
})

describeWith(['root', 'cgroups'], 'a time that is none', () => {
  test.each([-1, Number.NaN])('is refused: %p', async (writeTimeoutMs) => {
    await expect(bench.manager({ writeTimeoutMs })).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
      message: expect.stringContaining('writeTimeoutMs'),
    })
  })
})
