import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { signalForMany } from '../../src/sandbox-all'

const ROOT = join(__dirname, '..', '..')

describe('the signal that all sandboxes of a call listen to', () => {
  it('goes off with that of the caller, for the same reason', () => {
    const controller = new AbortController()
    const signal = signalForMany(controller.signal)
    expect(signal?.aborted).toBe(false)
    controller.abort('enough')
    expect(signal?.reason).toBe('enough')
  })

  it('makes Node warn of no leak, however many listen', () => {
    // In a process of its own: what jest gives a test is not the process that warns.
    const code = `
      const { signalForMany } = require(${JSON.stringify(join(ROOT, 'src', 'sandbox-all.ts'))})
      const signal = signalForMany(new AbortController().signal)
      for (let count = 0; count < 100; count += 1) signal.addEventListener('abort', () => count)`
    const hook = join(ROOT, 'test', 'support', 'typescript.js')
    const { status, stderr } = spawnSync(process.execPath, ['--require', hook, '-e', code], {
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('is none where the caller has none', () => {
    expect(signalForMany(undefined)).toBeUndefined()
  })
})
