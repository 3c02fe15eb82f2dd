import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ManagerBench } from './manager-bench'

/** A process that opens a device all the time; see `opener.py`. */
export interface Opener {
  readonly pid: number
  /** How many opens were refused since the last call, after some more opens. */
  refusals(): Promise<number>
}

/** Starts one that ends with the bench. */
export async function startOpener(bench: ManagerBench, device: string): Promise<Opener> {
  const script = join(__dirname, 'opener.py')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'python3', script, device], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error('a process that was spawned has no pid')
  bench.atEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await answers.next()
    if (done === true) throw new Error('the opener has ended')
    return String(value)
  }
  await answer()
  const refusals = async () => {
    child.stdin.write('\n')
    const [opens = 0, refused = 0] = (await answer()).split(' ').map(Number)
    if (opens === 0) throw new Error('the opener has opened nothing')
    return refused
  }
  return { pid, refusals }
}
