import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { SPINVM } from './require'

export type QmpMessage = Readonly<Record<string, unknown>>

/** A conversation as a client has it on the wire: whole lines in, any bytes out. */
export interface QmpWire {
  send(bytes: string | Uint8Array): void
  /** The next message; rejects when the connection ends first. */
  next(): Promise<QmpMessage>
  /** Sends a command and returns its answer; events that come before it are in `events`. */
  execute(command: string, args?: QmpMessage): Promise<QmpMessage>
  readonly events: QmpMessage[]
  close(): void
}

export interface ThreadTimes {
  readonly tid: number
  readonly name: string
  /** User and system time in clock ticks. */
  readonly ticks: number
}

export interface SpinVm {
  readonly pid: number
  readonly socket: string
  readonly child: ChildProcess
  threads(): ThreadTimes[]
  /** Connects, without negotiating. */
  connect(): Promise<QmpWire>
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

async function openSocket(path: string): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(path)
    try {
      await once(socket, 'connect')
      return socket
    } catch (error) {
      if (attempt === 200) throw error
      await sleep(20)
    }
  }
}

function wireOf(socket: Socket): QmpWire {
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const events: QmpMessage[] = []
  const next = async (): Promise<QmpMessage> => {
    const line = await lines.next()
    if (line.done === true) throw new Error('the connection ended')
    return JSON.parse(line.value) as QmpMessage
  }
  return {
    events,
    next,
    send: (bytes) => socket.write(bytes),
    async execute(command, args) {
      socket.write(JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }) }))
      for (;;) {
        const message = await next()
        if (!('event' in message)) return message
        events.push(message)
      }
    },
    close: () => socket.destroy(),
  }
}

function readThreads(pid: number): ThreadTimes[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => {
    const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8')
    const end = stat.lastIndexOf(')')
    const fields = stat.slice(end + 2).split(' ')
    return {
      tid: Number(tid),
      name: stat.slice(stat.indexOf('(') + 1, end),
      ticks: Number(fields[11]) + Number(fields[12]),
    }
  })
}

/** Starts the embedded VMM with a QMP socket of its own. */
export function startSpinVm(args: readonly string[]): SpinVm {
  const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-spinvm-'))
  const socket = join(folder, 'qmp.sock')
  const common = ['--qmp', socket, '--die-with-parent', String(process.pid)]
  const child = spawn(SPINVM, [...args, ...common], { stdio: 'inherit' })
  const exited = once(child, 'exit')
  if (child.pid === undefined) throw new Error(`${SPINVM} does not start`)
  const { pid } = child
  return {
    pid,
    socket,
    child,
    threads: () => readThreads(pid),
    connect: async () => wireOf(await openSocket(socket)),
    async stop() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
