import { CgroupManager } from '../../../src/manager'

// Takes up the cgroup of this JSON, says what it finds there, and destroys it.

const [json = ''] = process.argv.slice(2)

async function takeUp(): Promise<void> {
  const manager = await CgroupManager.restore(json)
  const { path, resources } = manager.config
  const { isChanged } = await manager.apply()
  const found = { path, resources, isChanged, pids: await manager.pids() }
  await manager.destroy()
  await manager.close()
  process.stdout.write(JSON.stringify(found))
}

void takeUp()
