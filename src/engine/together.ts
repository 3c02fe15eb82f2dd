import { Rendezvous, type Seat } from './rendezvous'
import { turns } from './turns'

/**
 * How many are on their way to the meeting at once: each asks a hypervisor and has a lock by then. Enough to keep a
 * lane at work.
 */
const UNDER_WAY = 32

/**
 * Acts on all items, each with a seat at one {@link Rendezvous}: what comes before `seat.ready()` is done for so many at
 * a time, what comes behind it for all together. One that fails does not stop the others.
 *
 * @returns what came of each.
 */
export async function together<T, R>(
  items: ReadonlySet<T>,
  act: (item: T, seat: Seat) => Promise<R>,
): Promise<ReadonlyMap<T, PromiseSettledResult<R>>> {
  const rendezvous = new Rendezvous(items.size)
  let underWay = 0
  let goOn: () => void = () => undefined
  const onSeen = () => {
    underWay -= 1
    goOn()
  }
  const works: Promise<readonly [T, PromiseSettledResult<R>]>[] = []
  for (const item of items) {
    while (underWay >= UNDER_WAY) {
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    }
    underWay += 1
    await turns.next()
    const seat = rendezvous.seat(onSeen)
    works.push(ended(item, act(item, seat), seat))
  }
  return new Map(await Promise.all(works))
}

async function ended<T, R>(
  item: T,
  work: Promise<R>,
  seat: Seat,
): Promise<readonly [T, PromiseSettledResult<R>]> {
  const [result] = await Promise.allSettled([work])
  seat.leave()
  return [item, result]
}
