import type { OperationOutcome } from '../../src/engine/execute'
import { Ledger } from '../../src/engine/ledger'
import { nothingDone } from '../../src/engine/report'
import type { Operation, Plan } from '../../src/plan/operations'
import { LEAF, SANDBOX, VMM } from '../support/sandbox-states'

const EINVAL = 22
const ESRCH = 3

const ids = (errnos: Readonly<Record<number, number>>) =>
  Object.entries(errnos).map(([id, errno]) => ({ id: Number(id), errno }))

function outcome(
  operation: Operation,
  errno = 0,
  errnos: Readonly<Record<number, number>> = {},
): OperationOutcome {
  return { operation, errno, microseconds: 1, ids: ids(errnos) }
}

const write = (value: string, previous: string | null = null): Operation => ({
  kind: 'write-knob',
  hierarchy: 'cpu',
  path: LEAF,
  knob: 'cpu.cfs_quota_us',
  value,
  previous,
})
const move = (path: string, tids: readonly number[]): Operation => ({
  kind: 'move-threads',
  hierarchy: 'cpu',
  path,
  tids,
})
const enter: Operation = { kind: 'move-process', hierarchy: 'cpu', path: SANDBOX, pid: VMM }

function planOf(...operations: readonly Operation[]): Plan {
  return { sandbox: 'vm1', mounts: {}, stages: [{ name: 'placement', operations }], warnings: ['w'] }
}

function ledgerOf(...outcomes: readonly OperationOutcome[]): Ledger {
  const ledger = new Ledger(LEAF)
  ledger.add(outcomes)
  return ledger
}

it('reports nothing of nothing', () => {
  expect(ledgerOf().report({ sandbox: 'vm1', mounts: {}, stages: [], warnings: [] })).toEqual(
    nothingDone('vm1'),
  )
})

it('counts as placed what went into the leaf, each thread once over all hierarchies', () => {
  const ledger = ledgerOf(
    outcome(move(LEAF, [103, 102]), 0, { 103: 0, 102: 0 }),
    outcome({ ...move(LEAF, [102]), hierarchy: 'cpuset' }, 0, { 102: 0 }),
    outcome(move(SANDBOX, [101]), 0, { 101: 0 }),
  )
  expect(ledger.report(planOf()).placed).toEqual([102, 103])
})

it('counts as vanished whom the kernel or the look did not know', () => {
  const ledger = ledgerOf(outcome(move(LEAF, [102, 103]), 0, { 102: ESRCH, 103: 0 }))
  ledger.addLook([404])
  ledger.addLook([404])
  expect(ledger.report(planOf())).toMatchObject({ vanished: [102, 404], looks: 2 })
})

it('names what is left with the last answer, EAGAIN where none was a refusal', () => {
  const ledger = ledgerOf(
    outcome(move(SANDBOX, [101, 104]), 0, { 101: EINVAL, 104: EINVAL }),
    outcome(move(SANDBOX, [104]), 0, { 104: 0 }),
  )
  expect(ledger.report(planOf(move(SANDBOX, [101, 104, 105]), enter)).left).toEqual([
    { tid: 101, where: `cpu:${SANDBOX}`, code: 'EINVAL' },
    { tid: 104, where: `cpu:${SANDBOX}`, code: 'EAGAIN' },
    { tid: 105, where: `cpu:${SANDBOX}`, code: 'EAGAIN' },
    { tid: VMM, where: `cpu:${SANDBOX}`, code: 'EAGAIN' },
  ])
})

it('names as put back who was, and not as placed', () => {
  const ledger = ledgerOf(outcome(move(LEAF, [102, 103]), 0, { 102: 0, 103: 0 }))
  ledger.addPutBack([outcome(move('/', [103]), 0, { 103: 0 })])
  expect(ledger.report(planOf())).toMatchObject({
    placed: [102],
    vanished: [103],
    putBack: [{ tid: 103, to: ['cpu:/'] }],
  })
})

describe('a quota', () => {
  it.each<[string, Operation[], number]>([
    ['lifted is unlimited', [write('-1', '50000')], 1],
    ['changed is not', [write('70000', '50000')], 0],
    ['set and taken back is not', [write('50000', '-1'), write('-1', '50000')], 0],
    ['lifted and taken back is not', [write('-1', '50000'), write('50000', '-1')], 0],
    ['lifted twice counts once', [write('-1', '50000'), write('-1', '70000')], 1],
  ])('that is %s', (_, operations, count) => {
    const { unlimited } = ledgerOf(...operations.map((operation) => outcome(operation))).report(planOf())
    expect(unlimited).toEqual(Array(count).fill(`cpu:${LEAF} cpu.cfs_quota_us`))
  })

  it('whose lifting was refused is not unlimited', () => {
    expect(ledgerOf(outcome(write('-1', '50000'), EINVAL)).report(planOf()).unlimited).toEqual([])
  })
})

it.each<[string, OperationOutcome, boolean]>([
  ['a write that is refused', outcome(write('1'), EINVAL), true],
  ['a write that went through', outcome(write('1')), false],
  ['an operation that was not run', outcome(write('1'), -1), false],
  ['a vCPU that is refused', outcome(move(LEAF, [102]), 0, { 102: EINVAL }), true],
  ['a vCPU that has ended', outcome(move(LEAF, [102]), 0, { 102: ESRCH }), false],
  ['another thread that is refused', outcome(move(SANDBOX, [101]), 0, { 101: EINVAL }), false],
  ['a process that is refused', outcome(enter, 0, { [VMM]: EINVAL }), true],
  ['a process that has ended', outcome(enter, 0, { [VMM]: ESRCH }), false],
  ['a tasks file that cannot be opened', outcome(move(SANDBOX, [101]), 13), true],
])('judges %s', (_, one, isFatal) => {
  expect(new Ledger(LEAF).isFatal(one)).toBe(isFatal)
})

it('counts how often an operation went through, whatever was there before it', () => {
  const ledger = ledgerOf(
    outcome(write('1', '5')),
    outcome(write('1', '6')),
    outcome(write('1'), EINVAL),
    outcome(write('2')),
  )
  expect(ledger.timesDone(write('1'))).toBe(2)
  expect(ledger.timesDone(write('3'))).toBe(0)
})

describe('a limit of any controller', () => {
  const NONE = '9223372036854771712'

  it.each([
    ['memory', 'memory.limit_in_bytes', '-1', '268435456', 'memory.limit_in_bytes'],
    ['hugetlb', 'hugetlb.2MB.limit_in_bytes', '-1', '2097152', 'hugetlb.2MB.limit_in_bytes'],
    ['pids', 'pids.max', 'max', '10', 'pids.max'],
    ['blkio', 'blkio.throttle.read_bps_device', '8:0 0', '8:0 1048576', 'blkio.throttle.read_bps_device 8:0'],
  ])('of %s that is lifted is unlimited', (hierarchy, knob, value, previous, place) => {
    const lift: Operation = { kind: 'write-knob', hierarchy, path: SANDBOX, knob, value, previous }
    expect(ledgerOf(outcome(lift)).report(planOf()).unlimited).toEqual([`${hierarchy}:${SANDBOX} ${place}`])
    const limit: Operation = { ...lift, value: previous, previous: value }
    expect(ledgerOf(outcome(limit)).report(planOf()).unlimited).toEqual([])
  })

  it.each([
    ['is none already, in the words of the kernel', 'memory.limit_in_bytes', '-1', NONE],
    ['is a weight that goes back to its default', 'cpu.shares', '1024', '512'],
  ])('that %s is not', (_, knob, value, previous) => {
    const write: Operation = { kind: 'write-knob', hierarchy: 'memory', path: SANDBOX, knob, value, previous }
    expect(ledgerOf(outcome(write)).report(planOf()).unlimited).toEqual([])
  })
})
