import { QmpEventStream } from '../../src/hypervisor/qmp-events'

function eventStream(limit?: number, signal?: AbortSignal) {
  const onEnd = jest.fn()
  return { stream: new QmpEventStream({ limit, signal }, onEnd), onEnd }
}

describe('a stream of QMP events', () => {
  test('gives what came before it was asked, and what comes while it waits', async () => {
    const { stream } = eventStream()
    stream.push('STOP', {})
    expect(await stream.next()).toEqual({ done: false, value: { event: 'STOP', data: {}, dropped: 0 } })
    const next = stream.next()
    stream.push('RESUME', { a: 1 })
    expect(await next).toEqual({ done: false, value: { event: 'RESUME', data: { a: 1 }, dropped: 0 } })
  })

  test('drops the oldest when its consumer falls behind, and says how many', async () => {
    const { stream } = eventStream(2)
    for (const event of ['A', 'B', 'C', 'D']) stream.push(event, {})
    expect((await stream.next()).value).toMatchObject({ event: 'C', dropped: 2 })
    expect((await stream.next()).value).toMatchObject({ event: 'D', dropped: 0 })
  })

  test('ends quietly after what is queued', async () => {
    const { stream, onEnd } = eventStream()
    stream.push('SHUTDOWN', {})
    stream.end({})
    stream.push('LATE', {})
    const seen: string[] = []
    for await (const { event } of stream) seen.push(event)
    expect(seen).toEqual(['SHUTDOWN'])
    expect(onEnd).toHaveBeenCalledTimes(1)
  })

  test('tells an error once, after what is queued', async () => {
    const { stream } = eventStream()
    stream.push('SHUTDOWN', {})
    stream.end({ error: new Error('broken') })
    await stream.next()
    await expect(stream.next()).rejects.toThrow('broken')
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('lets go of the connection when its loop is left', async () => {
    const { stream, onEnd } = eventStream()
    stream.push('STOP', {})
    stream.push('STOP', {})
    for await (const _ of stream) break
    expect(onEnd).toHaveBeenCalledWith(stream)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('rejects with the reason when it is aborted', async () => {
    const controller = new AbortController()
    const { stream, onEnd } = eventStream(undefined, controller.signal)
    const next = stream.next()
    controller.abort('enough')
    await expect(next).rejects.toBe('enough')
    expect(onEnd).toHaveBeenCalledTimes(1)
  })
})
