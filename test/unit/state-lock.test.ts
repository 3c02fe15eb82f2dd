import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HeldLock, takeLock } from '../../src/state/lock'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
  path = join(directory, 'x.lock')
})

afterEach(() => rmSync(directory, { recursive: true }))

const take = (timeoutMs = 0, signal?: AbortSignal): Promise<HeldLock> => takeLock(path, { timeoutMs, signal })

it('is taken, holds the pid of its holder in a file for its owner alone, and is taken again after release', async () => {
  const lock = await take()
  expect(readFileSync(path, 'utf8').trimEnd()).toBe(`${process.pid}`)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  lock.release()
  ;(await take()).release()
})

it('replaces the pid of the holder before, however long', async () => {
  writeFileSync(path, '4194304\n')
  const lock = await take()
  expect(readFileSync(path, 'utf8').trimEnd()).toBe(`${process.pid}`)
  lock.release()
})

it.each([Number.NaN, -1])('is not waited for %d milliseconds', async (timeoutMs) => {
  await expect(take(timeoutMs)).rejects.toMatchObject({
    code: 'ERR_VMCG_INVALID_ARGUMENT',
    value: String(timeoutMs),
  })
  expect(existsSync(path)).toBe(false)
})

it('is refused to a second holder in the same process, and the error names the first', async () => {
  const lock = await take()
  await expect(take()).rejects.toMatchObject({
    code: 'ERR_VMCG_BUSY',
    path,
    message: expect.stringContaining(`process ${process.pid} has been working`),
    hint: `ps -p ${process.pid} -o pid,etime,args`,
  })
  lock.release()
})

it('is refused while another process holds it, and free once that has ended, however it ended', async () => {
  const other = spawn('flock', [path, 'sh', '-c', `echo $$ > ${path}; echo ready; exec sleep 60`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  const { pid } = other
  if (pid === undefined) throw new Error('flock cannot be started')
  await once(other.stdout, 'data')
  const holder = Number(readFileSync(path, 'utf8'))
  await expect(take(30)).rejects.toMatchObject({
    code: 'ERR_VMCG_BUSY',
    message: expect.stringContaining(`process ${holder} `),
  })
  process.kill(-pid, 'SIGKILL')
  ;(await take(60_000)).release()
})

it('is waited for', async () => {
  const first = await take()
  const second = take(60_000)
  setTimeout(() => first.release(), 30)
  ;(await second).release()
})

it('goes to one of many at a time', async () => {
  let holders = 0
  let most = 0
  const worked = Array.from({ length: 8 }, async () => {
    const lock = await take(60_000)
    holders += 1
    most = Math.max(most, holders)
    await new Promise((resolve) => setTimeout(resolve, 2))
    holders -= 1
    lock.release()
  })
  await Promise.all(worked)
  expect(most).toBe(1)
})

it('stays exclusive when its file is removed by the holder', async () => {
  const first = await take()
  const second = take(60_000)
  first.removeFile()
  first.release()
  const lock = await second
  expect(existsSync(path)).toBe(true)
  await expect(take()).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY' })
  lock.release()
})

it.each([
  ['no pid', 'nonsense'],
  ['nothing', ''],
  ['a pid below 1', '-5\n'],
])('names nobody when the file holds %s', async (_, text) => {
  const lock = await take()
  writeFileSync(path, text)
  await expect(take()).rejects.toMatchObject({ message: expect.stringMatching(/^another process/) })
  lock.release()
})

it('rejects with the reason of an abort, before and while it waits', async () => {
  const reason = new Error('enough')
  await expect(take(0, AbortSignal.abort(reason))).rejects.toBe(reason)
  expect(existsSync(path)).toBe(false)
  const lock = await take()
  const controller = new AbortController()
  const waiting = take(60_000, controller.signal)
  controller.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  lock.release()
})

it('does not follow a link, and says what the kernel said', async () => {
  const other = join(directory, 'other')
  symlinkSync(other, path)
  await expect(take()).rejects.toMatchObject({ code: 'ELOOP', path })
  expect(existsSync(other)).toBe(false)
})

it('is an error at once where its directory is not there', async () => {
  path = join(directory, 'gone', 'x.lock')
  await expect(take(60_000)).rejects.toMatchObject({ code: 'ENOENT', path })
})
