import type { OperationOutcome } from '../../src/engine/execute'
import { putBackStrangers, type ThreadIdentity } from '../../src/engine/strangers'
import type { Observed } from '../../src/plan/observed'
import type { Operation } from '../../src/plan/operations'

const LEAF = '/p/vm/vcpu'
const VMM = 100
const VCPU = 101

/** Before the write: a VMM and its vCPU thread, which started at 10 and 11. */
const BEFORE: Observed = {
  hierarchies: [],
  processes: [
    {
      pid: VMM,
      startTime: 10,
      threads: [
        { tid: VMM, startTime: 10, name: 'qemu' },
        { tid: VCPU, startTime: 11, name: 'CPU 0/KVM' },
      ],
    },
  ],
}

function written(operation: Operation, id: number, errno = 0): OperationOutcome {
  return { operation, errno: 0, microseconds: 1, ids: [{ id, errno }] }
}

const MOVE: Operation = { kind: 'move-threads', hierarchy: 'cpu', path: LEAF, tids: [VCPU] }
const STRANGER: ThreadIdentity = { startTime: 99, place: { cpu: LEAF }, home: { cpu: '/other' } }

const cases: readonly [string, OperationOutcome, ThreadIdentity | undefined, readonly Operation[]][] = [
  ['a thread that ended since', written(MOVE, VCPU), undefined, []],
  ['the thread that was meant', written(MOVE, VCPU), { ...STRANGER, startTime: 11 }, []],
  ['an id that was not written after all', written(MOVE, VCPU, 3), STRANGER, []],
  ['a thread that nobody had seen before', written({ ...MOVE, tids: [102] }, 102), STRANGER, []],
  ['a stranger that is elsewhere by now', written(MOVE, VCPU), { ...STRANGER, place: { cpu: '/' } }, []],
  ['a stranger that was born here', written(MOVE, VCPU), { ...STRANGER, home: { cpu: LEAF } }, []],
  ['a stranger of whom nobody knows where it came from', written(MOVE, VCPU), { ...STRANGER, home: {} }, []],
  [
    'a stranger',
    written(MOVE, VCPU),
    STRANGER,
    [{ kind: 'move-threads', hierarchy: 'cpu', path: '/other', tids: [VCPU] }],
  ],
  [
    "a child of the VMM's that was given the id of its vCPU",
    written(MOVE, VCPU),
    { ...STRANGER, home: { cpu: '/p/vm' } },
    [{ kind: 'move-threads', hierarchy: 'cpu', path: '/p/vm', tids: [VCPU] }],
  ],
  [
    'a whole process of a stranger',
    written({ kind: 'move-process', hierarchy: 'cpu', path: '/p/vm', pid: VMM }, VMM),
    { ...STRANGER, place: { cpu: '/p/vm' } },
    [{ kind: 'move-process', hierarchy: 'cpu', path: '/other', pid: VMM }],
  ],
]

describe('after a write', () => {
  test.each(cases)('%s is put back or left alone', (_name, outcome, identity, expected) => {
    expect(putBackStrangers([outcome], BEFORE, () => identity)).toEqual(expected)
  })

  test('a stranger is put back in each hierarchy to where it came from there', () => {
    const outcomes = ['cpu', 'cpuset'].map((hierarchy) => written({ ...MOVE, hierarchy }, VCPU))
    const identity = {
      startTime: 99,
      place: { cpu: LEAF, cpuset: LEAF },
      home: { cpu: '/other', cpuset: '/' },
    }
    const paths = putBackStrangers(outcomes, BEFORE, () => identity).map(({ path }) => path)
    expect(paths).toEqual(['/other', '/'])
  })
})
