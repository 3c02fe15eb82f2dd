import { Sandbox } from '../../../src/sandbox'

// Applies the same sandboxes together, many times, beside another process that does the same, and prints how often
// that went through. Every other time their limits are others, so that there is something to write.

const [parent = '', stateDir = '', times = '', list = '[]'] = process.argv.slice(2)

interface Vm {
  readonly id: string
  readonly pid: number
  readonly vcpus: readonly number[]
}

async function open({ id, pid, vcpus }: Vm): Promise<Sandbox> {
  const sandbox = await Sandbox.create({ id, parent, stateDir, lockTimeoutMs: 60_000 })
  await sandbox.attach({
    name: 'stand-in',
    pid: () => pid,
    threads: async () => ({ vcpus: new Map(vcpus.entries()), iothreads: new Map() }),
    close: async () => undefined,
  })
  return sandbox
}

async function applyAll(): Promise<void> {
  const vms: readonly Vm[] = JSON.parse(list)
  const sandboxes = await Promise.all(vms.map(open))
  await new Promise((resolve) => process.stdin.once('data', resolve))
  let done = 0
  for (let time = 0; time < Number(times); time += 1) {
    for (const sandbox of sandboxes) {
      const cpu = { quota: time % 2 === 0 ? 50_000 : 60_000, period: 100_000, cpus: '0' }
      sandbox.setContainer({ id: 'c1', spec: { linux: { resources: { cpu } } } })
    }
    for (const { error } of await Sandbox.applyAll(sandboxes)) if (error !== undefined) throw error
    done += 1
  }
  for (const sandbox of sandboxes) await sandbox.close()
  process.stdin.destroy()
  process.stdout.write(`${done}\n`)
}

void applyAll()
