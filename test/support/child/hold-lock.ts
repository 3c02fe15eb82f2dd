import { Sandbox } from '../../../src/sandbox'
import { hypervisorOf } from '../stand-in'

// Takes the lock of a sandbox and keeps it: its hypervisor never answers. Says so on stdout.

const [parent = '', stateDir = ''] = process.argv.slice(2)

async function holdLock(): Promise<void> {
  const sandbox = await Sandbox.create({ id: 'vm', parent, stateDir })
  const hypervisor = hypervisorOf(process.pid, () => [])
  await sandbox.attach({
    ...hypervisor,
    threads: () => {
      process.stdout.write('held\n')
      return new Promise(() => setInterval(() => undefined, 60_000))
    },
  })
  await sandbox.apply()
}

void holdLock()
