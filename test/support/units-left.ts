import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { patience } from './scale'

const run = promisify(execFile)

/** The lines of `systemctl list-units` for the units of a test, by the beginning of their names; '' when none is left. */
export async function unitsLeft(prefix: string, ...options: readonly string[]): Promise<string> {
  const listing = ['list-units', '--all', '--plain', '--no-legend', `${prefix}*`]
  const { stdout } = await run('systemctl', [...options, ...listing])
  return stdout
}

/** Waits until systemd has forgotten a unit that ends by itself, which is some time after its cgroup has gone. */
export async function untilUnitIsGone(unit: string): Promise<void> {
  const deadline = Date.now() + patience(10_000)
  for (let left = await unitsLeft(unit); left !== ''; left = await unitsLeft(unit)) {
    if (Date.now() > deadline) throw new Error(`systemd still has ${left}`)
    await sleep(20)
  }
}
