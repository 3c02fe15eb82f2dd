import { Rendezvous, type Seat } from '../../src/engine/rendezvous'

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Says who went on, in the order in which they did. */
function guests(rendezvous: Rendezvous) {
  const gone: string[] = []
  const comes = async (name: string, seat: Seat = rendezvous.seat()): Promise<void> => {
    await seat.ready()
    gone.push(name)
  }
  return { gone, comes }
}

it('lets nobody go on before the last has come', async () => {
  const rendezvous = new Rendezvous(3)
  const { gone, comes } = guests(rendezvous)
  const first = [comes('a'), comes('b')]
  await nextTurn()
  expect(gone).toEqual([])
  await Promise.all([...first, comes('c')])
  expect(gone).toEqual(['a', 'b', 'c'])
})

it('does not wait for those that have left', async () => {
  const rendezvous = new Rendezvous(3)
  const { gone, comes } = guests(rendezvous)
  const [failed, hasNothingToDo] = [rendezvous.seat(), rendezvous.seat()]
  const waiting = comes('a')
  failed.leave()
  failed.leave()
  await nextTurn()
  expect(gone).toEqual([])
  hasNothingToDo.leave()
  await waiting
  expect(gone).toEqual(['a'])
})

it('does not wait long for one that does not come, which goes on alone afterwards', async () => {
  const rendezvous = new Rendezvous(3)
  const { gone, comes } = guests(rendezvous)
  const late = rendezvous.seat()
  await Promise.all([comes('a'), comes('b')])
  await comes('late', late)
  expect(gone).toEqual(['a', 'b', 'late'])
})

it('lets somebody wait only once: what is tried again is not held up', async () => {
  const rendezvous = new Rendezvous(2)
  const seat = rendezvous.seat()
  const first = seat.ready()
  await seat.ready()
  rendezvous.seat().leave()
  await first
})

it('leaves no timer behind when it is over', async () => {
  const rendezvous = new Rendezvous(2)
  const { comes } = guests(rendezvous)
  const waiting = comes('a')
  expect(process.getActiveResourcesInfo()).toContain('Timeout')
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  await Promise.all([waiting, comes('b')])
  expect(timers()).toBe(before - 1)
})

it('tells of each once that it need not be waited for any more', async () => {
  const rendezvous = new Rendezvous(2)
  const seen: string[] = []
  const seats = ['a', 'b'].map((name) => rendezvous.seat(() => seen.push(name)))
  for (const seat of seats) seat.leave()
  for (const seat of seats) await seat.ready()
  expect(seen).toEqual(['a', 'b'])
})
