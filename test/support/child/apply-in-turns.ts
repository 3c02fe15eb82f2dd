import { subscribe } from 'node:diagnostics_channel'
import { CgroupManager } from '../../../src/manager'

// Sets all limits of one cgroup to one number after another, and prints when it wrote: a list of
// [first, last] operation of each apply, in microseconds of the clock that all processes share.

const [cgroupsPath = '', stateDir = '', first = '', count = ''] = process.argv.slice(2)

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n)

/** Draws an apply out, in its middle, so that another one would have the time to begin. */
function linger(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
}

async function applyInTurns(): Promise<void> {
  let times: number[] = []
  subscribe('vmcg:operation', () => {
    times.push(microseconds())
    linger()
  })
  const manager = await CgroupManager.create({ cgroupsPath, stateDir, lockTimeoutMs: 60_000 })
  process.stdout.write('ready\n')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  const turns: (readonly [number, number])[] = []
  for (let turn = 0; turn < Number(count); turn += 1) {
    const number = Number(first) + turn
    times = []
    await manager.apply({
      cpu: { quota: number * 1000 },
      pids: { limit: number },
      memory: { limit: number * 2 ** 20 },
    })
    const [begin] = times
    const end = times.at(-1)
    if (begin !== undefined && end !== undefined) turns.push([begin, end])
  }
  await manager.close()
  process.stdin.destroy()
  process.stdout.write(`${JSON.stringify(turns)}\n`)
}

void applyInTurns()
