import { readdirSync } from 'node:fs'
import { Sandbox } from '../../../src/sandbox'

// Reads the figures of the sandboxes of a state directory, twice, and prints what came of it as JSON: whether all were
// read, how many descriptors that left open, and what was logged.

const [parent = '', stateDir = '', ...ids] = process.argv.slice(2)
const logged: string[] = []
const log = (_: object, message: string) => {
  logged.push(message)
}
const logger = { debug() {}, info() {}, warn: log, error: log }

async function readAll(): Promise<void> {
  const sandboxes = await Promise.all(ids.map((id) => Sandbox.load(id, { parent, stateDir, logger })))
  const before = readdirSync('/proc/self/fd').length
  const first = await Sandbox.statsAll(sandboxes)
  const second = await Sandbox.statsAll(sandboxes)
  const areRead = [...first, ...second].every(({ stats }) => stats?.cpu !== null && stats !== undefined)
  const kept = readdirSync('/proc/self/fd').length - before
  for (const sandbox of sandboxes) await sandbox.close()
  process.stdout.write(JSON.stringify({ areRead, kept, logged }))
}

void readAll()
