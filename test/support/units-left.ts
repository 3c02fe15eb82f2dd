import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The lines of `systemctl list-units` for the units of a test, by the beginning of their names; '' when none is left. */
export async function unitsLeft(prefix: string, ...options: readonly string[]): Promise<string> {
  const listing = ['list-units', '--all', '--plain', '--no-legend', `${prefix}*`]
  const { stdout } = await run('systemctl', [...options, ...listing])
  return stdout
}
