import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Bench } from '../support/bench'
import { describeWith } from '../support/require'
import { ticksOf, waitFor } from '../support/residents'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(60_000)

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

interface Busy {
  readonly pid: number
  readonly ended: Promise<unknown>
}

/** A helper of the VM that never rests. */
async function busy(): Promise<Busy> {
  const child = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await once(child, 'spawn')
  bench.atEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { pid: child.pid ?? 0, ended }
}

describeWith(['root'], 'freeze', () => {
  test('stops the VM and its helpers until thaw, and both may be called twice', async () => {
    const sandbox = await bench.sandbox()
    const { pid } = await busy()
    await sandbox.apply()
    await sandbox.add(pid)
    await sandbox.freeze()
    await sandbox.freeze()
    const ticks = ticksOf(pid)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(ticksOf(pid)).toBe(ticks)
    expect((await sandbox.apply()).isChanged).toBe(false)
    await sandbox.thaw()
    await sandbox.thaw()
    await waitFor('the helper runs again', () => ticksOf(pid) > ticks)
  })

  test('has apply and refresh refused at once while the VMM is frozen, which answers nobody', async () => {
    const vmm = await bench.standIn()
    const sandbox = await bench.sandbox()
    await sandbox.attach(hypervisorOf(vmm.pid, () => []))
    await sandbox.apply()
    await sandbox.freeze()
    for (const act of [sandbox.apply(), sandbox.refresh()])
      await expect(act).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY', hint: 'thaw() it first' })
    await sandbox.thaw()
    await sandbox.apply()
  })

  test('is refused before apply, which makes what is to be frozen', async () => {
    const sandbox = await bench.sandbox()
    await expect(sandbox.freeze()).rejects.toMatchObject({
      code: 'ENOENT',
      hint: expect.stringContaining('apply()'),
    })
    await sandbox.thaw()
  })

  test('leaves nothing behind when the sandbox is destroyed, not even a frozen process', async () => {
    const sandbox = await bench.sandbox()
    const { pid } = await busy()
    await sandbox.apply()
    await sandbox.add(pid)
    await sandbox.freeze()
    await sandbox.destroy()
    const ticks = ticksOf(pid)
    await waitFor('the helper runs again', () => ticksOf(pid) > ticks)
  })
})

describeWith(['root'], 'kill', () => {
  test('ends everybody inside, also frozen ones, and leaves the cgroups', async () => {
    const sandbox = await bench.sandbox()
    const helper = await busy()
    await sandbox.apply()
    await sandbox.add(helper.pid)
    await sandbox.freeze()
    await sandbox.kill()
    expect(await helper.ended).toEqual([null, 'SIGKILL'])
    expect((await sandbox.apply()).isChanged).toBe(false)
  })

  test('sends another signal once, and waits for nothing', async () => {
    const sandbox = await bench.sandbox()
    const helper = await busy()
    await sandbox.apply()
    await sandbox.add(helper.pid)
    await sandbox.kill({ killSignal: 'SIGTERM' })
    expect(await helper.ended).toEqual([null, 'SIGTERM'])
  })
})
