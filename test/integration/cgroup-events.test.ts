import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { type CgroupEvents, type WaitOptions, waitForEvent } from '../../src/engine/cgroup-events'
import { describeWith } from '../support/require'
import { UnifiedHome } from '../support/unified-home'

let home: UnifiedHome

beforeEach(() => {
  home = new UnifiedHome()
})
afterEach(() => home.clear())

const LONG: WaitOptions = { timeoutMs: 30_000 }
const isEmpty = ({ isPopulated }: CgroupEvents) => !isPopulated
const isFrozen = (events: CgroupEvents) => events.isFrozen

const wait = (holds: (events: CgroupEvents) => boolean, options = LONG) =>
  waitForEvent(home.directory(), holds, options)

/** How many files this process has watched, as the kernel says once the turn is over. */
async function watches(): Promise<number> {
  await setImmediate()
  const lines = readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    const path = `/proc/self/fdinfo/${fd}`
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  })
  return lines.filter((line) => line.startsWith('inotify ')).length
}

describeWith(['root', 'unified'], 'waiting for a cgroup of v2', () => {
  test('is over at once when it is so already', async () => {
    expect(await wait(isEmpty)).toBe(true)
  })

  test('ends with the last process, which the kernel tells of', async () => {
    const { pid } = await home.run(['sleep', '60'])
    let looks = 0
    const waiting = wait((events) => {
      looks += 1
      return isEmpty(events)
    })
    await sleep(200)
    // The kernel may tell late of whoever came in. Who asks again and again would have asked many times.
    expect(looks).toBeLessThanOrEqual(2)
    process.kill(pid, 'SIGKILL')
    expect(await waiting).toBe(true)
    expect(home.says('populated 0')).toBe(true)
  })

  test('ends when all has stopped', async () => {
    await home.run(['sleep', '60'])
    const waiting = wait(isFrozen)
    home.write('cgroup.freeze', 1)
    expect(await waiting).toBe(true)
  })

  test('misses no change however soon it comes', async () => {
    for (let round = 0; round < 20; round += 1) {
      home.write('cgroup.freeze', round % 2)
      expect(await wait((events) => events.isFrozen === (round % 2 === 1))).toBe(true)
    }
  })

  test('is told to more than one at a time', async () => {
    const waiting = Promise.all([wait(isFrozen), wait(isFrozen), wait(isFrozen)])
    home.write('cgroup.freeze', 1)
    expect(await waiting).toEqual([true, true, true])
  })

  test('gives up in time, and watches no more', async () => {
    expect(await wait(isFrozen, { timeoutMs: 50 })).toBe(false)
    expect(await watches()).toBe(0)
  })

  test('rejects with the reason of an abort, and watches no more', async () => {
    const reason = new Error('enough')
    const aborter = new AbortController()
    const waiting = wait(isFrozen, { ...LONG, signal: aborter.signal })
    expect(await watches()).toBe(1)
    aborter.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(await watches()).toBe(0)
    await expect(wait(isFrozen, { ...LONG, signal: aborter.signal })).rejects.toBe(reason)
  })

  test('lets an error of who asks through', async () => {
    const failing = wait(() => {
      throw new RangeError('odd')
    })
    await expect(failing).rejects.toThrow('odd')
  })

  test('fails for one that is not there', async () => {
    rmdirSync(home.directory())
    await expect(wait(isEmpty)).rejects.toMatchObject({
      name: 'CgroupError',
      code: 'ENOENT',
      path: `${home.directory()}/cgroup.events`,
    })
  })
})
