import { spawn } from 'node:child_process'
import { native } from '../../../src/engine/native'
import { isVmcgError } from '../../../src/errors'
import { CgroupManager } from '../../../src/manager'

// Gives its privileges up, manages a cgroup, and prints as JSON what was done and what was refused. The third argument
// is the pid of a process that has ended.

const NOBODY = 65_534
const [cgroupsPath = '', stateDir = '', deadPid = ''] = process.argv.slice(2)

const HOLE = [
  { allow: true, type: 'c' as const, major: 4, access: 'r' },
  { allow: false, type: 'c' as const, major: 4, minor: 64, access: 'r' },
]

async function refusalOf(act: () => Promise<unknown>): Promise<object | null> {
  try {
    await act()
    return null
  } catch (error) {
    return isVmcgError(error) ? { code: error.code, message: error.message } : { error: String(error) }
  }
}

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
    const refusals = {
      memory: await refusalOf(() => manager.apply({ memory: { limit: 2 ** 28 } })),
      shares: await refusalOf(() => manager.apply({ cpu: { shares: 1 } })),
      devices: await refusalOf(() => manager.plan({ devices: HOLE })),
      created: await refusalOf(() =>
        CgroupManager.create({ cgroupsPath: `${cgroupsPath}2`, stateDir, resources: { cpu: { shares: 1 } } }),
      ),
      deadPid: await refusalOf(() => manager.add(Number(deadPid))),
      deadThread: await refusalOf(() => manager.addThreads([Number(deadPid)])),
      noPid: await refusalOf(() => manager.add(-1)),
      freeze: await refusalOf(() => manager.freeze()),
    }
    const { removed } = await manager.destroy()
    await manager.close()
    process.stdout.write(JSON.stringify({ isAdded, isApplied, inside, refusals, removed }))
  } finally {
    child.kill('SIGKILL')
  }
}

manageUnprivileged().catch((error: Error) => {
  process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
})
