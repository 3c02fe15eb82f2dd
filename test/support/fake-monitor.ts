import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** What a QEMU 7.2 monitor says first. */
export const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}\r\n'

export interface FakeMonitor {
  readonly path: string
  /** Ends the connections and removes the socket. */
  close(): Promise<void>
}

/**
 * A server on a unix socket of its own that does to each client whatever the test wants: for faults that no QEMU has.
 */
export async function fakeMonitor(serve: (client: Socket) => void): Promise<FakeMonitor> {
  const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-qmp-'))
  const path = join(folder, 'qmp.sock')
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('error', () => client.destroy())
    client.on('close', () => clients.delete(client))
    serve(client)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    path,
    async close() {
      for (const client of clients) client.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface FakeCommand {
  readonly execute: string
  readonly arguments?: unknown
  readonly id: number
}

/** Greets, accepts the negotiation, and hands every further command to `answer`. */
export function speakQmp(client: Socket, answer: (command: FakeCommand) => void): void {
  client.write(GREETING)
  createInterface({ input: client }).on('line', (line) => {
    const command: FakeCommand = JSON.parse(line)
    if (command.execute === 'qmp_capabilities') client.write(`{"return": {}, "id": ${command.id}}\r\n`)
    else answer(command)
  })
}

/** A monitor that gives each command its answer; one that has none is unknown, as in a QEMU of another age. */
export function monitorWith(answerTo: (command: string) => unknown): Promise<FakeMonitor> {
  return fakeMonitor((client) =>
    speakQmp(client, ({ execute, id }) => {
      const reply = answerTo(execute)
      const error = { class: 'CommandNotFound', desc: `The command ${execute} has not been found` }
      client.write(`${JSON.stringify(reply === undefined ? { id, error } : { return: reply, id })}\r\n`)
    }),
  )
}
