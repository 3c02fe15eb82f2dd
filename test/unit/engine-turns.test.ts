import { Turns } from '../../src/engine/turns'

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

it('runs the first of a turn at once', () => {
  const ran: string[] = []
  new Turns().run(() => ran.push('first'))
  expect(ran).toEqual(['first'])
})

it('runs one of the others in each turn of the event loop, in their order', async () => {
  const turns = new Turns()
  const ran: number[] = []
  for (const number of [0, 1, 2, 3]) turns.run(() => ran.push(number))
  const seen: number[] = []
  while (ran.length < 4) {
    seen.push(ran.length)
    await nextTurn()
  }
  expect(seen).toEqual([1, 2, 3])
  expect(ran).toEqual([0, 1, 2, 3])
})

it('runs all that a promise leads to before it runs the next', async () => {
  const turns = new Turns()
  const ran: string[] = []
  const act = async (name: string) => {
    await turns.next()
    ran.push(`${name} begins`)
    await Promise.resolve()
    ran.push(`${name} ends`)
  }
  await Promise.all([act('a'), act('b')])
  expect(ran).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
})

it('lets a timer of the application go off between two', async () => {
  const turns = new Turns()
  let timersSeen = 0
  const timer = setInterval(() => {
    timersSeen += 1
  }, 1)
  // 200 pieces of 1 ms in a row would let none of them through.
  const busy = async () => {
    await turns.next()
    const end = performance.now() + 1
    while (performance.now() < end);
  }
  await Promise.all(Array.from({ length: 200 }, busy))
  clearInterval(timer)
  expect(timersSeen).toBeGreaterThan(10)
})
