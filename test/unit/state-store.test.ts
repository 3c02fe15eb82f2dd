import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SandboxStore } from '../../src/state/sandbox-store'
import { SerialQueue } from '../../src/state/serial-queue'

describe('the store of a sandbox', () => {
  const where = { driver: 'cgroupfs', parent: '/kata', id: 'vm1' } as const
  const now = { timeoutMs: 0 }
  let directory: string
  let store: SandboxStore

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
    store = new SandboxStore(directory, where)
  })

  afterEach(() => rmSync(directory, { recursive: true }))

  it('begins with a state of its own nonce, which is not on disk yet', async () => {
    const fresh = store.fresh({ hasLeaf: true })
    expect(fresh).toMatchObject({ ...where, schema: 1, applied: null, processes: [] })
    expect(fresh.nonce).toMatch(/^[0-9a-f]{32}$/)
    expect(store.fresh({ hasLeaf: true }).nonce).not.toBe(fresh.nonce)
    expect(await store.read()).toBeUndefined()
  })

  it('gives back what another object of the same sandbox has written', async () => {
    const state = store.fresh({ hasLeaf: true })
    await store.write(state)
    expect(await new SandboxStore(directory, where).read()).toEqual(state)
    expect(await new SandboxStore(directory, { ...where, id: 'vm2' }).read()).toBeUndefined()
  })

  it('refuses the state of another sandbox under its name', async () => {
    const other = new SandboxStore(directory, { ...where, id: 'vm2' })
    await other.write(store.fresh({ hasLeaf: true }))
    await expect(other.read()).rejects.toMatchObject({
      code: 'ERR_VMCG_STATE',
      message: expect.stringContaining('is the state of another cgroup: vm1 in /kata'),
    })
  })

  it('lets one act at a time, and the next when that has failed', async () => {
    await store.locked(now, async () => {
      await expect(new SandboxStore(directory, where).locked(now, async () => 1)).rejects.toMatchObject({
        code: 'ERR_VMCG_BUSY',
      })
    })
    const failure = new Error('failed')
    await expect(store.locked(now, () => Promise.reject(failure))).rejects.toBe(failure)
    expect(await store.locked(now, async () => 2)).toBe(2)
  })

  it('does not stand in the way of another sandbox', async () => {
    const other = new SandboxStore(directory, { ...where, id: 'vm2' })
    expect(await store.locked(now, () => other.locked(now, async () => 'both'))).toBe('both')
  })

  it('leaves no lock behind where there is no state, whatever was tried', async () => {
    await store.locked(now, async () => 'looked')
    await expect(store.locked(now, () => Promise.reject(new Error('destroyed')))).rejects.toThrow('destroyed')
    expect(readdirSync(directory)).toEqual([])
  })

  it('takes away a lock of its own only, once', async () => {
    await store.locked(now, async (lock) => {
      lock.removeFile()
      await store.locked(now, async () => {
        await store.write(store.fresh({ hasLeaf: true }))
        lock.removeFile()
        expect(readdirSync(directory)).toHaveLength(2)
      })
    })
  })

  it('leaves nothing behind when it is removed', async () => {
    await store.write(store.fresh({ hasLeaf: true }))
    await store.locked(now, (lock) => store.remove(lock))
    expect(readdirSync(directory)).toEqual([])
  })
})

describe('a serial queue', () => {
  const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  it('runs tasks one after the other, in the order they came', async () => {
    const queue = new SerialQueue()
    const log: string[] = []
    const task = (name: string, ms: number) =>
      queue.run(async () => {
        log.push(`${name} begins`)
        await later(ms)
        log.push(`${name} ends`)
        return name
      })
    expect(await Promise.all([task('a', 5), task('b', 0)])).toEqual(['a', 'b'])
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  it('refuses at once what was aborted before it came, whoever is in front', async () => {
    const queue = new SerialQueue()
    const endless = queue.run(() => new Promise(() => undefined))
    const task = jest.fn()
    await expect(queue.run(task, AbortSignal.abort('changed my mind'))).rejects.toBe('changed my mind')
    expect(task).not.toHaveBeenCalled()
    expect(endless).toBeInstanceOf(Promise)
  })

  it('goes on after a task that fails or throws', async () => {
    const queue = new SerialQueue()
    const rejected = queue.run(() => Promise.reject(new Error('rejected')))
    const thrown = queue.run(() => {
      throw new Error('thrown')
    })
    const fine = queue.run(async () => 'fine')
    await expect(rejected).rejects.toThrow('rejected')
    await expect(thrown).rejects.toThrow('thrown')
    expect(await fine).toBe('fine')
  })
})
