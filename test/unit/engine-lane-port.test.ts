import type { PackedBatch } from '../../src/engine/batch'
import { type LaneCalls, LanePort, MAX_BYTES, type Passage } from '../../src/engine/lane-port'

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A lane that finishes a batch when it is told to. */
class FakeLane implements LaneCalls {
  /** Ticket → its `done`. */
  readonly taken = new Map<number, (result: ArrayBuffer) => void>()
  #last = 0

  submitBatch(
    _lane: number,
    _ops: Int32Array,
    _text: string,
    _ids: Int32Array,
    done: (result: ArrayBuffer) => void,
  ): number {
    this.#last += 1
    this.taken.set(this.#last, done)
    return this.#last
  }

  cancelBatch(ticket: number): boolean {
    return this.taken.delete(ticket)
  }

  finish(ticket: number): void {
    const done = this.taken.get(ticket)
    this.taken.delete(ticket)
    done?.(new ArrayBuffer(0))
  }
}

let lane: FakeLane
let port: LanePort
let done: string[]

beforeEach(() => {
  lane = new FakeLane()
  port = new LanePort(0, () => lane)
  done = []
})

// The turns are the whole thread's: the next test begins with one of its own.
afterEach(async () => {
  await nextTurn()
  await nextTurn()
})

function send(name: string, bytes: number): Passage {
  const batch: PackedBatch = { ops: new Int32Array(bytes / 4), strings: '', ids: new Int32Array() }
  const passage = { batch, onDone: () => done.push(name), onRefused: () => done.push(`${name} refused`) }
  port.send(passage)
  return passage
}

const HALF = MAX_BYTES / 2

it('keeps back what is too much at once, and sends it on in its order', async () => {
  for (const name of ['a', 'b', 'c', 'd']) send(name, HALF)
  expect([...lane.taken.keys()]).toEqual([1, 2])
  lane.finish(1)
  expect([...lane.taken.keys()]).toEqual([2, 3])
  for (const ticket of [2, 3, 4]) {
    lane.finish(ticket)
    await nextTurn()
  }
  expect(done).toEqual(['a', 'b', 'c', 'd'])
})

it('lets what is small wait behind what is large', () => {
  send('a', HALF)
  send('large', MAX_BYTES)
  send('small', 4)
  expect(lane.taken.size).toBe(1)
})

it('sends what is larger than all that may be under way alone', async () => {
  send('huge', 3 * MAX_BYTES)
  send('small', 4)
  expect(lane.taken.size).toBe(1)
  lane.finish(1)
  expect([...lane.taken.keys()]).toEqual([2])
})

it('takes back what waits, and what the lane has not begun', () => {
  const [first, , waiting] = ['a', 'b', 'c'].map((name) => send(name, HALF))
  if (first === undefined || waiting === undefined) throw new Error('three were sent')
  expect(port.takeBack(waiting)).toBe(true)
  expect(port.takeBack(waiting)).toBe(false)
  expect(port.takeBack(first)).toBe(true)
  send('d', HALF)
  expect([...lane.taken.keys()]).toEqual([2, 3])
})

it('does not take back what has ended, though nobody has heard of it yet', async () => {
  const passages = ['a', 'b'].map((name) => send(name, 4))
  lane.finish(1)
  lane.finish(2)
  expect(done).toEqual(['a'])
  expect(passages.map((passage) => port.takeBack(passage))).toEqual([false, false])
  await nextTurn()
  expect(done).toEqual(['a', 'b'])
})

it('goes on behind a batch that the addon refuses', () => {
  const refusing: LaneCalls = { submitBatch: () => -22, cancelBatch: () => false }
  port = new LanePort(0, () => refusing)
  send('a', HALF)
  send('b', MAX_BYTES)
  expect(done).toEqual(['a refused', 'b refused'])
})
