import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { KeptState } from '../../src/state/kept-state'
import { SandboxStore } from '../../src/state/sandbox-store'
import { SerialQueue } from '../../src/state/serial-queue'
import type { SandboxState } from '../../src/state/state-file'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

describe('what a sandbox that nobody works with keeps in memory', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  function freshState(): SandboxState {
    const store = new SandboxStore(directory, { driver: 'cgroupfs', parent: '/kata', id: 'vm1' })
    return { ...store.fresh({ hasLeaf: true }), applied: { cpu: { quota: 50_000, cpus: '0-1' } } }
  }

  test('is the same state once it is asked for again', () => {
    const state = freshState()
    const kept = new KeptState(state)
    kept.rest()
    kept.rest()
    expect(kept.value).toEqual(state)
    expect(kept.value).toBe(kept.value)
  })

  test('is the state that was last set', () => {
    const kept = new KeptState(freshState())
    kept.rest()
    kept.value = { ...kept.value, claimed: ['cpu'] }
    kept.rest()
    expect(kept.value.claimed).toEqual(['cpu'])
  })

  test('is not the parsed state', () => {
    const [kept, state] = ((): [KeptState, WeakRef<SandboxState>] => {
      const value = freshState()
      return [new KeptState(value), new WeakRef(value)]
    })()
    kept.rest()
    return isCollected(state)
  })

  test('is not what came of its last task', async () => {
    const queue = new SerialQueue()
    const result = await (async () => new WeakRef(await queue.run(async () => ({ big: 'report' }))))()
    await isCollected(result)
    expect(await queue.run(async () => 'next')).toBe('next')
  })

  async function isCollected(ref: WeakRef<object>): Promise<void> {
    // What was dereferenced or made in this turn of the event loop is kept until its end.
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    expect(ref.deref()).toBeUndefined()
  }
})
