import type { StageExecutor } from '../../src/engine/execute'
import { type Stillness, standingStill } from '../../src/engine/standing-still'
import { CgroupError } from '../../src/errors'
import type { Operation, Plan } from '../../src/plan/operations'

const FREEZE: Operation = { kind: 'freeze', hierarchy: 'freezer', path: '/a' }
const THAW: Operation = { kind: 'thaw', hierarchy: 'freezer', path: '/a' }
const plan: Plan = { sandbox: 'vm1', mounts: {}, stages: [], warnings: [] }

const write = (knob: string): Operation => ({
  kind: 'write-knob',
  hierarchy: 'devices',
  path: '/a',
  knob,
  value: 'a',
  previous: null,
})

let steps: string[]
beforeEach(() => {
  steps = []
})

const stillness: Stillness = {
  begin: async (_freeze, writes) => {
    steps.push(`begin for ${writes.map(({ knob }) => knob).join(' ')}`)
  },
  end: async () => {
    steps.push('end')
  },
}

/** Carries out what it is given in one go, up to what it refuses. */
function executor(refused?: string): StageExecutor {
  return async (_plan, { operations }) => {
    const names = operations.map((operation) =>
      operation.kind === 'write-knob' ? operation.knob : operation.kind,
    )
    steps.push(names.join(' '))
    const stop = refused === undefined ? -1 : names.indexOf(refused)
    const errno = (index: number) => (stop < 0 || index < stop ? 0 : index === stop ? 1 : -1)
    return operations.map((operation, index) => ({
      operation,
      errno: errno(index),
      microseconds: 0,
      ids: [],
    }))
  }
}

async function errnos(
  operations: readonly Operation[],
  refused?: string,
  how: Stillness = stillness,
): Promise<number[]> {
  const stage = { name: 'limits', operations } as const
  const outcomes = await standingStill(executor(refused), how)(plan, stage, {})
  expect(outcomes.map(({ operation }) => operation)).toEqual(operations)
  return outcomes.map(({ errno }) => errno)
}

const STAGE = [write('cpu'), FREEZE, write('deny'), write('allow'), THAW, write('pids')]

it('writes what comes before the freeze, what it is for, and what comes after the thaw, each by itself', async () => {
  expect(await errnos(STAGE)).toEqual([0, 0, 0, 0, 0, 0])
  expect(steps).toEqual(['cpu', 'begin for deny allow', 'deny allow thaw', 'end', 'pids'])
})

it('freezes nobody when something before it is refused', async () => {
  expect(await errnos(STAGE, 'cpu')).toEqual([1, -1, -1, -1, -1, -1])
  expect(steps).toEqual(['cpu'])
})

it('remembers the freeze when something after it is refused: what has been written is not thawed, but taken back', async () => {
  expect(await errnos(STAGE, 'allow')).toEqual([0, 0, 0, 1, -1, -1])
  expect(steps).not.toContain('end')
  expect(await errnos([write('allow'), THAW])).toEqual([0, 0])
  expect(steps.at(-1)).toBe('end')
})

it('writes nothing that the freeze is for when somebody does not stop, and says why', async () => {
  const cause = new CgroupError('ERR_VMCG_BUSY', 'does not freeze')
  const begin = () => Promise.reject(cause)
  const outcomes = await standingStill(executor(), { ...stillness, begin })(
    plan,
    { name: 'limits', operations: STAGE },
    {},
  )
  expect(outcomes.map(({ errno }) => errno)).toEqual([0, 16, -1, -1, -1, -1])
  expect(outcomes[1]).toMatchObject({ operation: FREEZE, cause })
  expect(steps).toEqual(['cpu'])
})

it('lets an abort through', async () => {
  const reason = new Error('enough')
  await expect(errnos(STAGE, undefined, { ...stillness, begin: () => Promise.reject(reason) })).rejects.toBe(
    reason,
  )
})

it('leaves a stage without a freeze in one piece', async () => {
  expect(await errnos([write('cpu'), write('pids')])).toEqual([0, 0])
  expect(steps).toEqual(['cpu pids'])
})
