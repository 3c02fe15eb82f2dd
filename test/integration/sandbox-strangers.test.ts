import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { Bench, container } from '../support/bench'
import { isAlive, placeOf, threadsIn } from '../support/cgroups'
import { onOperation, type PublishedOperation } from '../support/operations'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf, type StandIn, waitUntilGone } from '../support/stand-in'

jest.setTimeout(patience(60_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000, cpus: '0' })

/** A process with this id, which has to be free: the kernel gives out the one after the last. */
function processWithId(wanted: number): ChildProcess {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(wanted - 1))
    const child = spawn('sleep', ['600'], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    bench.atEnd(async () => {
      child.kill('SIGKILL')
      await ended
    })
    if (child.pid === wanted) return child
    child.kill('SIGKILL')
  }
  throw new Error(`no process gets the id ${wanted}`)
}

/** Before threads are placed, ends the thread and gives its id to a process that is born where this one is. */
function handingOver(vmm: StandIn, tid: number): (published: PublishedOperation) => void {
  let isDone = false
  return ({ operation }) => {
    if (isDone || operation.kind !== 'write-knob') return
    isDone = true
    vmm.end(tid)
    waitUntilGone(tid)
    processWithId(tid)
  }
}

/** Applies a sandbox while a vCPU thread ends and a stranger gets its id. */
async function applyMeanwhile() {
  const vmm = await bench.standIn()
  const [first = 0, dying = 0, last = 0] = await vmm.start(3)
  const sandbox = await bench.sandbox({ containers: [LIMITS] })
  await sandbox.attach(hypervisorOf(vmm.pid, () => [first, dying, last]))
  const report = await onOperation(handingOver(vmm, dying), () => sandbox.apply())

  expect(isAlive(dying)).toBe(true)
  expect(placeOf(dying)).toEqual(placeOf(process.pid))
  expect(report).toMatchObject({ placed: [first, last], vanished: [dying], left: [] })
  expect(threadsIn(`${bench.parent}/vm/vcpu`)).toEqual([first, last])
  return { report, dying }
}

describeWith(['root', 'cgroup-v1', 'python', 'ns-last-pid'], "a stranger that was given a vCPU's id", () => {
  test('between the look and the write is put back where it came from, and the vCPU has vanished', async () => {
    const { report, dying } = await applyMeanwhile()
    const written = report.operations.filter(({ ids }) =>
      ids.some(({ id, errno }) => id === dying && errno === 0),
    )
    expect(written).not.toHaveLength(0)
    expect(new Set(report.putBack.map(({ tid }) => tid))).toEqual(new Set([dying]))
  })
})

describeWith(
  ['root', 'cgroup-v2', 'python', 'ns-last-pid'],
  "a stranger that was given a vCPU's id, on v2",
  () => {
    test('stays where it is, since the kernel parts no thread from its process, and the vCPU has vanished', async () => {
      const { report, dying } = await applyMeanwhile()
      const refused = report.operations.flatMap(({ ids }) => ids).filter(({ errno }) => errno !== 0)
      expect(refused).toContainEqual({ id: dying, errno: constants.errno.EOPNOTSUPP })
      expect(report.putBack).toEqual([])
    })
  },
)
