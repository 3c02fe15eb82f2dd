import { native } from '../../../src/engine/native'
import { Sandbox } from '../../../src/sandbox'

// Gives its privileges up, applies a sandbox, and prints the error that this ends with as JSON.

const NOBODY = 65_534
const [parent = '', stateDir = ''] = process.argv.slice(2)

async function applyUnprivileged(): Promise<void> {
  // Where the checkout is may be closed to others: what is loaded later than this could not be read.
  native()
  process.setgroups?.([])
  process.setgid?.(NOBODY)
  process.setuid?.(NOBODY)
  const sandbox = await Sandbox.create({ id: 'vm', parent, stateDir })
  await sandbox.apply()
}

applyUnprivileged().catch((error: Error) => {
  const { code, message, path, hint } = error as Error & Record<'code' | 'path' | 'hint', unknown>
  process.stdout.write(JSON.stringify({ code, message, path, hint }))
})
