import type { OperationOutcome, StageExecutor } from '../../src/engine/execute'
import { retryNewborn } from '../../src/engine/retry-newborn'
import type { Operation, Plan, Stage } from '../../src/plan/operations'

const EINVAL = 22
const plan: Plan = { sandbox: 'vm1', mounts: {}, stages: [], warnings: [] }
const toLeaf: Operation = { kind: 'move-threads', hierarchy: 'cpu', path: '/kata/vm1/vcpu', tids: [1, 2, 3] }
const stage: Stage = { name: 'placement', operations: [toLeaf] }

/** Refuses thread 2 so many times; everything else goes through. */
function refusing(times: number): { execute: StageExecutor; tried: (readonly number[])[] } {
  const tried: (readonly number[])[] = []
  const execute: StageExecutor = async (_plan, { operations }) =>
    operations.map((operation): OperationOutcome => {
      const tids = operation.kind === 'move-threads' ? operation.tids : []
      tried.push(tids)
      const errno = tried.length <= times ? EINVAL : 0
      const ids = tids.map((id) => ({ id, errno: id === 2 ? errno : 0 }))
      return { operation, errno: 0, microseconds: 1, ids }
    })
  return { execute, tried }
}

describe('a thread that the kernel cannot move yet', () => {
  it('is tried again, alone, and the outcome is that of the last try', async () => {
    const { execute, tried } = refusing(2)
    const outcomes = await retryNewborn(execute, () => false)(plan, stage, {})
    expect(tried).toEqual([[1, 2, 3], [2], [2]])
    expect(outcomes).toEqual([
      expect.objectContaining({
        operation: toLeaf,
        ids: [
          { id: 1, errno: 0 },
          { id: 2, errno: 0 },
          { id: 3, errno: 0 },
        ],
      }),
    ])
  })

  it('is given up after five more tries', async () => {
    const { execute, tried } = refusing(100)
    const [outcome] = await retryNewborn(execute, () => false)(plan, stage, {})
    expect(tried).toHaveLength(6)
    expect(outcome?.ids).toContainEqual({ id: 2, errno: EINVAL })
  })

  it('is not tried again where it is a real-time thread, which the kernel refuses for good', async () => {
    const { execute, tried } = refusing(100)
    await retryNewborn(execute, (_operation, id) => id === 2)(plan, stage, {})
    expect(tried).toHaveLength(1)
  })
})
