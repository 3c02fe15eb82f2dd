import type { Seat } from '../../src/engine/rendezvous'
import { together } from '../../src/engine/together'
import { turns } from '../../src/engine/turns'

const numbers = (count: number) => new Set(Array.from({ length: count }, (_, index) => index))

it('says what came of each', async () => {
  const ended = await together(new Set(['a', 'b']), async (name, seat) => {
    if (name === 'a') throw new Error('a fails')
    await seat.ready()
    return name.toUpperCase()
  })
  expect([...ended.keys()]).toEqual(['a', 'b'])
  expect(ended.get('a')).toMatchObject({ status: 'rejected', reason: { message: 'a fails' } })
  expect(ended.get('b')).toEqual({ status: 'fulfilled', value: 'B' })
})

it('finishes what all have to do before they meet, and goes on with all behind it', async () => {
  const events: string[] = []
  await together(numbers(100), async (_, seat: Seat) => {
    await turns.next()
    events.push('asked')
    await seat.ready()
    events.push('written')
  })
  expect(events.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 'asked'))
  expect(events).toHaveLength(200)
})

it('has no more than 32 on their way to the meeting', async () => {
  let underWay = 0
  let most = 0
  await together(numbers(100), async (number, seat) => {
    underWay += 1
    most = Math.max(most, underWay)
    while (most < 32) await turns.next()
    await turns.next()
    underWay -= 1
    if (number % 3 === 0) throw new Error('fails before the meeting')
    await seat.ready()
  })
  expect(most).toBe(32)
})

it('does nothing for nobody', async () => {
  expect(await together(new Set(), () => Promise.reject(new Error('called')))).toEqual(new Map())
})
