import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LaunchDoor, openDoor } from '../../src/engine/launch-door'

let directory: string
let door: LaunchDoor

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmcg-test-door-'))
  door = await openDoor(join(directory, 'door'))
})

afterEach(() => {
  door.close()
  rmSync(directory, { recursive: true })
})

test('tells who has come, and lets them on by a byte', async () => {
  const visitor = createConnection(door.path)
  visitor.write('47')
  visitor.write('11\n')
  await expect(door.arrival).resolves.toBe(4711)
  const answer = once(visitor, 'data')
  door.letIn()
  expect(String(await answer)).toBe('\n')
  visitor.end()
})

test('hangs up on those who are not let in, and leaves no socket behind', async () => {
  const visitor = createConnection(door.path)
  visitor.write('4711\n')
  await door.arrival
  const closed = once(visitor, 'close')
  visitor.resume()
  door.close()
  await closed
  expect(existsSync(door.path)).toBe(false)
  door.close()
})

test('takes the place of what an earlier one has left', async () => {
  const path = join(directory, 'other')
  writeFileSync(path, '')
  const other = await openDoor(path)
  other.close()
})

test('says when its path is too long for a socket', async () => {
  await expect(openDoor(join(directory, 'x'.repeat(120)))).rejects.toMatchObject({
    code: 'ENAMETOOLONG',
    hint: expect.stringContaining('stateDir'),
  })
})
