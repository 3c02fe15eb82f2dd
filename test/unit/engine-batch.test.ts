import * as fc from 'fast-check'
import {
  Batch,
  decodeResult,
  resultInspected,
  resultTasks,
  resultText,
  type TaskRecord,
} from '../../src/engine/batch'
import { OP_OPTIONAL, OP_WORDS, OpCode, TASK_RECORD_BYTES } from '../../src/engine/native'
import { forAll } from '../support/for-all'

/** The other end of the wire, as native/core/batch_codec.cc writes it. */
interface Answer {
  readonly errno: number
  readonly done: number
  readonly microseconds: number
  readonly idErrnos: readonly number[]
  readonly bytes: readonly number[]
}

function encodeResult(answers: readonly Answer[]): ArrayBuffer {
  const idErrnos = answers.flatMap((answer) => answer.idErrnos)
  const bytes = answers.flatMap((answer) => answer.bytes)
  const ends = answers.map((_, index) => answers.slice(0, index + 1).flatMap((answer) => answer.bytes).length)
  const words = [
    answers.length,
    idErrnos.length,
    bytes.length,
    0,
    ...answers.flatMap(({ errno, done, microseconds }, index) => [
      errno,
      done,
      microseconds,
      ends[index] ?? 0,
    ]),
    ...idErrnos,
  ]
  const result = new ArrayBuffer(words.length * 4 + bytes.length)
  new Int32Array(result, 0, words.length).set(words)
  new Uint8Array(result, words.length * 4).set(bytes)
  return result
}

describe('a batch', () => {
  it('packs an operation into eight words', () => {
    const batch = new Batch()
    batch.add(OpCode.Write, 3, 'kata/cpu.shares', { value: '1024' })
    expect(batch.pack()).toEqual({
      ops: Int32Array.of(OpCode.Write, 3, 0, 1, 0, 0, 0, 0),
      strings: 'kata/cpu.shares\0' + '1024',
      ids: new Int32Array(0),
    })
  })

  it('holds a string that comes again only once', () => {
    const batch = new Batch()
    batch.add(OpCode.SetXattr, 0, 'a', { arg: 'name', value: 'a' })
    batch.add(OpCode.Inspect, 0, 'a', { arg: 'name', value: 'a' })
    const { ops, strings } = batch.pack()
    expect(strings).toBe('a\0name')
    expect([...ops]).toEqual([OpCode.SetXattr, 0, 0, 0, 1, 0, 0, 0, OpCode.Inspect, 0, 0, 0, 1, 0, 0, 0])
  })

  it('numbers groups, and marks what may fail', () => {
    const batch = new Batch()
    batch.add(OpCode.MakeDir, 0, 'a', { isOptional: true })
    batch.nextGroup()
    batch.add(OpCode.ListTasks, 0, '1', { arg: 1 })
    const { ops } = batch.pack()
    expect([ops[0], ops[7]]).toEqual([OpCode.MakeDir | OP_OPTIONAL, 0])
    expect([ops[OP_WORDS + 4], ops[OP_WORDS + 7]]).toEqual([1, 1])
    expect(batch.length).toBe(2)
  })

  it('lays the ids of all operations in one row', () => {
    const batch = new Batch()
    batch.add(OpCode.WriteIds, 0, 'a/tasks', { ids: [1, 2] })
    batch.add(OpCode.WriteIds, 0, 'b/tasks', { ids: [3] })
    const { ops, ids } = batch.pack()
    expect([...ids]).toEqual([1, 2, 3])
    expect([ops[5], ops[6], ops[OP_WORDS + 5], ops[OP_WORDS + 6]]).toEqual([0, 2, 2, 1])
  })

  it.each([
    ['path', () => new Batch().add(OpCode.Read, 0, 'a\0b')],
    ['value', () => new Batch().add(OpCode.Write, 0, 'a', { value: '\0' })],
    ['attribute', () => new Batch().add(OpCode.SetXattr, 0, 'a', { arg: 'x\0' })],
  ])('refuses a NUL in a %s, which would shift all strings behind it', (_, add) => {
    expect(add).toThrow(expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }))
  })
})

describe('a result', () => {
  const answer: fc.Arbitrary<Answer> = fc.record({
    errno: fc.integer({ min: -1, max: 133 }),
    done: fc.nat(1000),
    microseconds: fc.nat(),
    idErrnos: fc.array(fc.integer({ min: -1, max: 133 }), { maxLength: 5 }),
    bytes: fc.array(fc.nat(255), { maxLength: 20 }),
  })

  it('comes apart into what the core put together', () => {
    forAll(fc.array(answer, { maxLength: 8 }), (answers) => {
      const batch = new Batch()
      for (const { idErrnos } of answers) batch.add(OpCode.WriteIds, 0, 'p', { ids: idErrnos.map(() => 1) })
      const results = decodeResult(batch.pack().ops, encodeResult(answers))
      expect(
        results.map(({ idErrnos, bytes, ...rest }) => ({
          ...rest,
          idErrnos: [...idErrnos],
          bytes: [...bytes],
        })),
      ).toEqual(answers)
    })
  })

  const resultOf = (bytes: readonly number[]) => {
    const batch = new Batch()
    batch.add(OpCode.Read, 0, 'p')
    const [result] = decodeResult(
      batch.pack().ops,
      encodeResult([{ errno: 0, done: 0, microseconds: 0, idErrnos: [], bytes }]),
    )
    if (result === undefined) throw new Error('no result')
    return result
  }

  it('is read as UTF-8 text', () => {
    expect(resultText(resultOf([...Buffer.from('100000\n')]))).toBe('100000\n')
    expect(resultText(resultOf([]))).toBe('')
  })

  it('holds what was inspected, each answer with its text', () => {
    const words = Buffer.from(Int32Array.from([3, 0, 5, 2, 0, 0, 3]).buffer)
    const bytes = [...words, ...Buffer.from('nonce0-7')]
    expect(resultInspected(resultOf(bytes))).toEqual({ errnos: [0, 2, 0], texts: ['nonce', '', '0-7'] })
    const names = Buffer.from(Int32Array.from([2, 0, 5, 0, 2]).buffer)
    expect(resultInspected(resultOf([...names, ...Buffer.from('né 1lo')])).texts).toEqual(['né 1', 'lo'])
  })

  it('holds thread records, with names up to 16 bytes', () => {
    const tasks: TaskRecord[] = [
      { tid: 100, flags: 0x80000004, startTime: 2 ** 40, name: 'qemu (x) /' },
      { tid: 101, flags: 0, startTime: 7, name: 'sixteen bytes ok' },
      { tid: 102, flags: 0, startTime: 8, name: '' },
    ]
    expect(resultTasks(resultOf(tasks.flatMap(encodeTask)))).toEqual(tasks)
  })
})

function encodeTask({ tid, flags, startTime, name }: TaskRecord): number[] {
  const view = new DataView(new ArrayBuffer(TASK_RECORD_BYTES))
  view.setInt32(0, tid, true)
  view.setUint32(4, flags, true)
  view.setFloat64(8, startTime, true)
  const bytes = [...new Uint8Array(view.buffer)]
  return bytes.map((byte, index) => Buffer.from(name)[index - 16] ?? byte)
}
