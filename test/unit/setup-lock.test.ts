import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processName, takeLock } from '../../tools/setup/lock'

const LOCK_MODULE = join(__dirname, '..', '..', 'tools', 'setup', 'lock.js')

/** Adds a line when it comes in and another when it leaves, and would be seen in between. */
const TAKER = `
const fs = require('node:fs')
const [, module_, path, log] = process.argv
require(module_).takeLock(path).then((lock) => {
  fs.appendFileSync(log, 'in\\n')
  setTimeout(() => { fs.appendFileSync(log, 'out\\n'); lock.release() }, 5)
})
`

describe('the lock of the set-up script', () => {
  let folder: string
  let path: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmcg-test-lock-'))
    path = join(folder, 'lock')
  })

  afterEach(() => {
    rmSync(folder, { recursive: true })
  })

  function leaveDeadLock(content = ''): void {
    const { pid } = spawnSync('true')
    mkdirSync(path)
    writeFileSync(join(path, `${pid}-1`), content)
  }

  test('is held until it is released, and leaves nothing', async () => {
    const lock = await takeLock(path)
    expect(readdirSync(path)).toEqual([processName(process.pid)])
    lock.release()
    expect(readdirSync(folder)).toEqual([])
  })

  test('of a dead process is taken over', async () => {
    leaveDeadLock()
    const lock = await takeLock(path)
    expect(readdirSync(path)).toEqual([processName(process.pid)])
    lock.release()
  })

  test('is not mistaken for that of a later process with the same pid', async () => {
    mkdirSync(path)
    writeFileSync(join(path, `${process.pid}-1`), '')
    const lock = await takeLock(path)
    lock.release()
  })

  test('of a dead process is kept while a child of its is at work', async () => {
    const child = spawn('sleep', ['600'])
    const pid = child.pid ?? 0
    leaveDeadLock(processName(pid))
    const waits: number[] = []
    const taken = takeLock(path, {
      onWait(busy) {
        waits.push(busy)
        child.kill()
      },
    })
    await once(child, 'exit')
    const lock = await taken
    expect(waits).toEqual([pid])
    lock.release()
  })

  test('can be given up waiting for', async () => {
    const lock = await takeLock(path)
    const reason = new Error('given up')
    const waiting = takeLock(path, { signal: AbortSignal.abort(reason) })
    await expect(waiting).rejects.toBe(reason)
    expect(readdirSync(path)).toEqual([processName(process.pid)])
    lock.release()
  })

  test('is never held twice, though ten processes find it dead at once', async () => {
    leaveDeadLock()
    const log = join(folder, 'log')
    const takers = Array.from({ length: 10 }, () =>
      spawn(process.execPath, ['-e', TAKER, LOCK_MODULE, path, log], { stdio: 'inherit' }),
    )
    await Promise.all(takers.map((taker) => once(taker, 'exit')))
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
    expect(lines).toEqual(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? 'in' : 'out')))
  })
})
