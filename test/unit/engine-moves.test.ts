import type { OperationOutcome } from '../../src/engine/execute'
import { Moves } from '../../src/engine/moves'

const ESRCH = 3

const moved = (hierarchy: string, path: string, ...ids: readonly number[]): OperationOutcome => ({
  operation: { kind: 'move-threads', hierarchy, path, tids: ids },
  errno: 0,
  microseconds: 1,
  ids: ids.map((id) => ({ id, errno: 0 })),
})

it('names every hierarchy that a thread was moved in', () => {
  const moves = new Moves()
  moves.add(moved('cpu', '/session', 7, 8))
  moves.add(moved('memory', '/user', 7))
  expect(moves.tids).toEqual([7, 8])
  expect(moves.list()).toEqual([
    { tid: 7, to: ['cpu:/session', 'memory:/user'] },
    { tid: 8, to: ['cpu:/session'] },
  ])
})

it('knows the last place only of whoever is moved twice', () => {
  const moves = new Moves()
  moves.add(moved('cpu', '/session', 7))
  moves.add(moved('cpu', '/kata', 7))
  expect(moves.list()).toEqual([{ tid: 7, to: ['cpu:/kata'] }])
})

it('counts nobody whom the kernel has not moved, and nobody who is not meant', () => {
  const moves = new Moves()
  moves.add({ ...moved('cpu', '/session', 7), ids: [{ id: 7, errno: ESRCH }] })
  moves.add(moved('cpu', '/session', 8), (id) => id !== 8)
  expect(moves.list()).toEqual([])
})
