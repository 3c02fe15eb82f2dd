import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Hypervisor } from '../../src/hypervisor/hypervisor'
import { isAlive } from './cgroups'
import { patience } from './scale'

/** A process whose threads a test starts and ends as it likes; see `stand-in.py`. */
export interface StandIn {
  readonly pid: number
  /** Starts so many threads that wait. @returns their tids */
  start(count: number): Promise<number[]>
  /** Tells a thread to end. It is gone some time after; `waitUntilGone` awaits that without giving up the turn. */
  end(tid: number): void
  /** Keeps making threads that end at once, from so many threads; 0 stops it. */
  churn(count: number): Promise<void>
  /** SIGKILL; resolves when it has ended. Safe to call twice. */
  kill(): Promise<void>
}

export async function startStandIn(): Promise<StandIn> {
  const script = join(__dirname, 'stand-in.py')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'python3', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
  })
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error('a process that was spawned has no pid')
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const pending: Promise<string>[] = []
  const send = (command: string): Promise<string> => {
    child.stdin.write(`${command}\n`)
    const answer = answers.next().then(({ value, done }) => {
      if (done === true) throw new Error(`the stand-in ended instead of answering ${command}`)
      return String(value)
    })
    pending.push(answer.catch(() => ''))
    return answer
  }
  await send('start 0')
  return {
    pid,
    start: async (count) => (await send(`start ${count}`)).split(' ').map(Number),
    end: (tid) => {
      send(`end ${tid}`).catch(() => undefined)
    },
    churn: async (count) => {
      await send(`churn ${count}`)
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
      await Promise.all(pending)
    },
  }
}

/** Waits for a thread's end on this thread, as code does that must not let others run meanwhile. */
export function waitUntilGone(tid: number): void {
  const deadline = Date.now() + patience(10_000)
  while (isAlive(tid)) {
    if (Date.now() > deadline) throw new Error(`thread ${tid} does not end`)
  }
}

/** A hypervisor that reports what it is told to: host tids of vCPUs, asked for at each look. */
export function hypervisorOf(pid: number, vcpus: () => readonly number[]): Hypervisor {
  return {
    name: 'stand-in',
    pid: () => pid,
    threads: async () => ({ vcpus: new Map(vcpus().entries()), iothreads: new Map() }),
    close: async () => undefined,
  }
}
