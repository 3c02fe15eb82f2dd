import { spawn } from 'node:child_process'
import { native } from '../../../src/engine/native'
import { isVmcgError } from '../../../src/errors'
import { CgroupManager } from '../../../src/manager'

// Gives its privileges up, manages a cgroup, and prints as JSON what was done and what was refused.

const NOBODY = 65_534
const [cgroupsPath = '', stateDir = ''] = process.argv.slice(2)

async function manageUnprivileged(): Promise<void> {
  native()
  process.setgroups?.([])
  process.setgid?.(NOBODY)
  process.setuid?.(NOBODY)
  const child = spawn('sleep', ['60'], { stdio: 'ignore' })
  try {
    const manager = await CgroupManager.create({ cgroupsPath, stateDir })
    const isAdded = (await manager.add(child.pid ?? 0)).isChanged
    const isApplied = (await manager.apply({ cpu: { shares: 300 } })).isChanged
    const inside = (await manager.pids()).map((pid) => pid === child.pid)
    const refusal: unknown = await manager
      .apply({ memory: { limit: 2 ** 28 } })
      .catch((error: unknown) => error)
    const { removed } = await manager.destroy()
    await manager.close()
    const refused = isVmcgError(refusal) ? { code: refusal.code, message: refusal.message } : null
    process.stdout.write(JSON.stringify({ isAdded, isApplied, inside, refused, removed }))
  } finally {
    child.kill('SIGKILL')
  }
}

manageUnprivileged().catch((error: Error) => {
  process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
})
