import { readMessage } from '../../src/hypervisor/qmp-messages'

describe('telling QMP messages apart', () => {
  test.each([
    ['a greeting', { QMP: { version: {}, capabilities: [] } }, { kind: 'greeting' }],
    [
      'an event',
      { timestamp: { seconds: 1, microseconds: 2 }, event: 'STOP' },
      { kind: 'event', event: 'STOP', data: {} },
    ],
    [
      'an event with members',
      { event: 'DEVICE_DELETED', data: { device: 'cpu1' } },
      { kind: 'event', event: 'DEVICE_DELETED', data: { device: 'cpu1' } },
    ],
    ['an answer', { return: [], id: 7 }, { kind: 'return', id: 7, value: [] }],
    [
      'an answer with keys of a later QEMU',
      { 'new-key': 1, id: 7, return: {} },
      { kind: 'return', id: 7, value: {} },
    ],
    [
      'an error',
      { error: { class: 'GenericError', desc: 'no' }, id: 7 },
      { kind: 'error', id: 7, class: 'GenericError', desc: 'no' },
    ],
    [
      'an error without id',
      { error: { class: 'GenericError', desc: 'JSON parse error' } },
      { kind: 'error', id: undefined, class: 'GenericError', desc: 'JSON parse error' },
    ],
    [
      'an error that says nothing',
      { error: {}, id: 7 },
      { kind: 'error', id: 7, class: 'not told', desc: 'not told' },
    ],
    ['what a later QEMU may send', { news: {} }, { kind: 'unknown' }],
  ])('%s', (_, message, expected) => {
    expect(readMessage(message)).toEqual(expected)
  })
})
