import { unsummedLimits } from '../../src/model/unapplied'

const container = (id: string, resources = {}) => ({ id, resources })
const MEMORY = { memory: { limit: 2 ** 20 } }
const PIDS = { pids: { limit: 7 } }

describe('limits that have no sum, since a container has none', () => {
  test.each([
    ['nobody asks', [container('a'), container('b')], []],
    ['all have them', [container('a', { ...MEMORY, ...PIDS }), container('b', { ...MEMORY, ...PIDS })], []],
    [
      'one has none',
      [container('a', { ...MEMORY, ...PIDS }), container('b', MEMORY)],
      ['pids is not limited: container b has no pids.limit'],
    ],
    [
      'two have none, one of them by -1',
      [container('a', MEMORY), container('b'), container('c', { memory: { limit: -1 } })],
      ['memory is not limited: container b, c has no memory.limit'],
    ],
  ])('are told where %s', (_, containers, told) => {
    expect(unsummedLimits(containers, true)).toEqual(told)
  })

  test('are none of memory where it is not limited anyway', () => {
    expect(unsummedLimits([container('a', MEMORY), container('b')], false)).toEqual([])
  })
})
