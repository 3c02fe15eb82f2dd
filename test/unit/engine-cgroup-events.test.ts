import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEvents, waitForEvent } from '../../src/engine/cgroup-events'

it.each([
  ['populated 1\nfrozen 0\n', { isPopulated: true, isFrozen: false }],
  ['populated 0\nfrozen 1\n', { isPopulated: false, isFrozen: true }],
  ['populated 1\n', { isPopulated: true, isFrozen: false }],
  ['frozen 10\npopulated 1\n', { isPopulated: true, isFrozen: false }],
])('reads %j', (text, events) => {
  expect(parseEvents(text)).toEqual(events)
})

describe('on a host that has no watches left', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmcg-test-events-'))
    writeFileSync(join(directory, 'cgroup.events'), 'populated 1\nfrozen 0\n')
  })
  afterEach(() => {
    jest.restoreAllMocks()
    rmSync(directory, { recursive: true })
  })
  const refuseWatches = (code: string) =>
    jest.spyOn(fs, 'watch').mockImplementation(() => {
      throw Object.assign(new Error(code), { code, errno: -1, syscall: 'watch' })
    })

  it.each(['EMFILE', 'ENFILE', 'ENOSPC'])('asks every now and then after %s', async (code) => {
    const refused = refuseWatches(code)
    const waiting = waitForEvent(directory, ({ isPopulated }) => !isPopulated, { timeoutMs: 30_000 })
    writeFileSync(join(directory, 'cgroup.events'), 'populated 0\nfrozen 0\n')
    expect(await waiting).toBe(true)
    expect(refused).toHaveBeenCalledTimes(1)
  })

  it('says why it cannot watch for any other reason', async () => {
    refuseWatches('EACCES')
    const waiting = waitForEvent(directory, () => false, { timeoutMs: 30_000 })
    await expect(waiting).rejects.toMatchObject({ code: 'EACCES', path: join(directory, 'cgroup.events') })
  })
})
