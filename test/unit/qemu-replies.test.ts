import { parseCpus, parseCpusFast, parseIothreads } from '../../src/hypervisor/qemu-replies'

describe("QEMU's answers about threads", () => {
  test('query-cpus-fast: the thread is the outer thread-id, the one in props is topology', () => {
    const answer = [
      { 'thread-id': 1179, props: { 'core-id': 0, 'thread-id': 0 }, 'cpu-index': 0, target: 'x86_64' },
      { 'thread-id': 1182, props: { 'core-id': 3, 'thread-id': 0 }, 'cpu-index': 3, target: 'x86_64' },
    ]
    expect(parseCpusFast(answer)).toEqual(
      new Map([
        [0, 1179],
        [3, 1182],
      ]),
    )
  })

  test('query-cpus-fast: TCG with thread=single has one thread for all vCPUs', () => {
    const answer = [0, 1].map((index) => ({ 'cpu-index': index, 'thread-id': 1206 }))
    expect([...parseCpusFast(answer).values()]).toEqual([1206, 1206])
  })

  test('query-cpus: has keys of its own', () => {
    expect(parseCpus([{ CPU: 0, current: true, halted: false, thread_id: 99, arch: 'x86' }])).toEqual(
      new Map([[0, 99]]),
    )
  })

  test('query-iothreads: by id', () => {
    expect(parseIothreads([{ id: 'iothread0', 'thread-id': 1174, 'poll-max-ns': 32768 }])).toEqual(
      new Map([['iothread0', 1174]]),
    )
    expect(parseIothreads([])).toEqual(new Map())
  })

  test.each([0, -1])('a thread id of %d is no thread', (thread) => {
    expect(parseCpusFast([{ 'cpu-index': 0, 'thread-id': thread }])).toEqual(new Map())
  })

  test.each([
    [parseCpusFast, { cpus: [] }, 'query-cpus-fast is no list'],
    [parseCpusFast, [null], 'query-cpus-fast has an entry that is no object'],
    [
      parseCpusFast,
      [{ 'cpu-index': 0, props: { 'thread-id': 0 } }],
      'query-cpus-fast has an entry without a usable thread-id',
    ],
    [parseCpusFast, [{ 'cpu-index': 0, 'thread-id': '1179' }], 'without a usable thread-id'],
    [parseCpusFast, [{ 'cpu-index': -1, 'thread-id': 1179 }], 'without a usable cpu-index'],
    [parseCpus, [{ 'cpu-index': 0, 'thread-id': 1179 }], 'query-cpus has an entry without a usable CPU'],
    [parseIothreads, [{ 'thread-id': 1174 }], 'query-iothreads has an entry without a usable id'],
  ])('an answer of another shape is refused: %p %j', (parse, answer, message) => {
    expect(() => parse(answer)).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_QMP_PROTOCOL', message: expect.stringContaining(message) }),
    )
  })
})
