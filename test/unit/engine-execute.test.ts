import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Batch, resultText } from '../../src/engine/batch'
import { kernelExecutor } from '../../src/engine/execute'
import { Roots, submit } from '../../src/engine/lane'
import { OpCode } from '../../src/engine/native'
import { pause } from '../../src/engine/pause'
import type { Operation, Plan } from '../../src/plan/operations'
import { Fifo } from '../support/native-fifo'

const EEXIST = 17
const ENOENT = 2

let tree: string
let roots: Roots
let overdue: Promise<unknown>[]

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
  roots = new Roots()
  overdue = []
})

afterEach(() => {
  roots.close()
  rmSync(tree, { recursive: true })
})

/** The executor on a plain directory in a hierarchy's place: it does not know the difference. */
function execute(...operations: readonly Operation[]) {
  const stage = { name: 'limits', operations } as const
  const plan: Plan = { sandbox: 'vm1', mounts: { cpu: tree }, stages: [stage], warnings: [] }
  // Long enough for the lane to begin, also on a busy host.
  return kernelExecutor(roots, { deadlineMs: 1000, onOverdue: (work) => overdue.push(work) })(plan, stage, {})
}

const make = (path: string, shared = false): Operation => ({
  kind: 'make-directory',
  hierarchy: 'cpu',
  path,
  shared,
})
const write = (path: string, value: string, knob = 'cpu.shares'): Operation => ({
  kind: 'write-knob',
  hierarchy: 'cpu',
  path,
  knob,
  value,
  previous: null,
})

it('makes, writes, moves and removes', async () => {
  mkdirSync(join(tree, 'a'))
  mkdirSync(join(tree, 'old'))
  for (const file of ['cpu.shares', 'tasks', 'cgroup.procs']) writeFileSync(join(tree, 'a', file), '')
  writeFileSync(join(tree, 'cpu.shares'), '')
  const outcomes = await execute(
    make('/a/b'),
    write('/a', '512'),
    write('/', '2'),
    { kind: 'move-process', hierarchy: 'cpu', path: '/a', pid: 100 },
    { kind: 'move-threads', hierarchy: 'cpu', path: '/a', tids: [7] },
    { kind: 'remove-directory', hierarchy: 'cpu', path: '/old' },
  )
  expect(outcomes.map(({ errno }) => errno)).toEqual([0, 0, 0, 0, 0, 0])
  expect(outcomes.map(({ ids }) => ids)).toEqual([
    [],
    [],
    [],
    [{ id: 100, errno: 0 }],
    [{ id: 7, errno: 0 }],
    [],
  ])
  expect(statSync(join(tree, 'a/b')).isDirectory()).toBe(true)
  expect(() => statSync(join(tree, 'old'))).toThrow('ENOENT')
  expect(readFileSync(join(tree, 'a/cpu.shares'), 'utf8').trimEnd()).toBe('512')
  expect(readFileSync(join(tree, 'cpu.shares'), 'utf8').trimEnd()).toBe('2')
})

it('stops at the first operation that fails, and says which were not run', async () => {
  const outcomes = await execute(write('/gone', '1'), make('/a'), {
    kind: 'move-threads',
    hierarchy: 'cpu',
    path: '/',
    tids: [1, 2],
  })
  expect(outcomes.map(({ errno }) => errno)).toEqual([ENOENT, -1, -1])
  expect(outcomes[2]?.ids).toEqual([
    { id: 1, errno: -1 },
    { id: 2, errno: -1 },
  ])
})

it('does not mind a shared directory that another has made meanwhile, but one of its own', async () => {
  mkdirSync(join(tree, 'a'))
  expect((await execute(make('/a', true), make('/a/b'))).map(({ errno }) => errno)).toEqual([0, 0])
  expect((await execute(make('/a', false))).map(({ errno }) => errno)).toEqual([EEXIST])
})

it('does not leave the hierarchy, and makes no files', async () => {
  const outcomes = await Promise.all([execute(write('/../..', '1')), execute(write('/', '1'))])
  expect(outcomes.flat().every(({ errno }) => errno > 0)).toBe(true)
  expect(() => statSync(join(tree, 'cpu.shares'))).toThrow('ENOENT')
})

it('gives up a write that the kernel does not come back from, says which, and tells of the work that goes on', async () => {
  mkdirSync(join(tree, 'a'))
  const pipe = new Fifo(join(tree, 'a', 'memory.limit_in_bytes'))
  const limit = write('/a', '4096', 'memory.limit_in_bytes')
  await expect(execute(limit)).rejects.toMatchObject({
    code: 'ERR_VMCG_TIMEOUT',
    path: join(tree, 'a', 'memory.limit_in_bytes'),
    value: '4096',
  })
  const reader = pipe.open()
  expect(await Promise.allSettled(overdue)).toHaveLength(1)
  reader.release()
})

it('takes a write back that has not begun in time, since the lane is busy with another', async () => {
  for (const name of ['a', 'b']) mkdirSync(join(tree, name))
  const pipe = new Fifo(join(tree, 'a', 'cpuset.mems'))
  const knob = join(tree, 'b', 'cpuset.mems')
  writeFileSync(knob, 'old')
  const mems = (path: string) => write(path, '0', 'cpuset.mems')
  const first = execute(mems('/a'))
  const second = execute(mems('/b'))
  await expect(second).rejects.toMatchObject({
    code: 'ERR_VMCG_TIMEOUT',
    message: expect.stringContaining('nothing was written'),
  })
  await expect(first).rejects.toMatchObject({ code: 'ERR_VMCG_TIMEOUT' })
  const reader = pipe.open()
  await Promise.allSettled(overdue)
  reader.release()
  expect(readFileSync(knob, 'utf8')).toBe('old')
})

it('waits as long as it takes without a deadline', async () => {
  mkdirSync(join(tree, 'a'))
  const pipe = new Fifo(join(tree, 'a', 'memory.limit_in_bytes'))
  const executor = kernelExecutor(roots, { deadlineMs: Number.POSITIVE_INFINITY, onOverdue: () => undefined })
  const stage = { name: 'limits', operations: [write('/a', '4096', 'memory.limit_in_bytes')] } as const
  const work = executor({ sandbox: 'vm1', mounts: { cpu: tree }, stages: [stage], warnings: [] }, stage, {})
  let isSettled = false
  void work.finally(() => {
    isSettled = true
  })
  await pause(20, undefined)
  expect(isSettled).toBe(false)
  const reader = pipe.open()
  expect((await work).map(({ errno }) => errno)).toEqual([0])
  reader.release()
})

it('publishes every outcome on a diagnostics channel', async () => {
  const seen: unknown[] = []
  const listen = (message: unknown) => seen.push(message)
  subscribe('vmcg:operation', listen)
  await execute(make('/a'), write('/gone', '1'))
  unsubscribe('vmcg:operation', listen)
  expect(seen).toEqual([
    expect.objectContaining({ sandbox: 'vm1', operation: make('/a'), errno: 0 }),
    expect.objectContaining({ sandbox: 'vm1', operation: write('/gone', '1'), errno: ENOENT }),
  ])
})

describe('the lane', () => {
  const reading = (file: string) => {
    const batch = new Batch()
    batch.add(OpCode.Read, roots.id(tree), file)
    return batch
  }

  it('answers a batch, on either lane', async () => {
    writeFileSync(join(tree, 'knob'), '42\n')
    for (const lane of ['fast', 'slow'] as const) {
      const results = await submit(reading('knob'), { lane })
      expect(results.map(resultText)).toEqual(['42\n'])
    }
  })

  it('has nothing to say to an empty batch', async () => {
    expect(await submit(new Batch())).toEqual([])
  })

  it('rejects with the reason of an abort, before and after the batch is handed over', async () => {
    const reason = new Error('enough')
    await expect(submit(reading('knob'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const late = submit(reading('knob'), { signal: controller.signal })
    controller.abort(reason)
    await expect(late).rejects.toBe(reason)
  })

  it('refuses a batch whose root is not open', async () => {
    const batch = new Batch()
    batch.add(OpCode.Read, 2 ** 30, 'knob')
    await expect(submit(batch)).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_ARGUMENT' })
  })

  it('names the directory that cannot be a root', () => {
    const gone = join(tree, 'gone')
    expect(() => roots.id(gone)).toThrow(
      expect.objectContaining({ code: 'ENOENT', path: gone, errno: -ENOENT }),
    )
  })

  it('opens each root once', () => {
    expect(roots.id(tree)).toBe(roots.id(tree))
  })
})
