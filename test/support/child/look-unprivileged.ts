import { Batch } from '../../../src/engine/batch'
import { Roots, submit } from '../../../src/engine/lane'
import { native, OpCode } from '../../../src/engine/native'
import { detectHost } from '../../../src/host/detect'
import { canWrite, rootless } from '../../../src/host/rootless'

// Gives its privileges up, and prints as JSON what it may do in a hierarchy: which of the paths it may write to, and
// the errno of each extended attribute that it sets on the last of them, in a directory that it makes.

const NOBODY = 65_534
const [controller = '', ...paths] = process.argv.slice(2)
const ATTRIBUTES = ['user.vmcg', 'trusted.vmcg']

async function lookUnprivileged(): Promise<void> {
  native()
  process.setgroups?.([])
  process.setgid?.(NOBODY)
  process.setuid?.(NOBODY)
  const host = detectHost()
  const hierarchy = host.controller(controller)
  if (hierarchy === undefined) throw new Error(`there is no ${controller} hierarchy`)
  const writable: boolean[] = []
  for (const path of paths) writable.push(await canWrite(hierarchy, path))
  const roots = new Roots()
  const root = roots.id(hierarchy.mountPoint)
  const own = `${paths.at(-1)?.slice(1)}/own`
  const batch = new Batch()
  batch.add(OpCode.MakeDir, root, own)
  for (const arg of ATTRIBUTES)
    batch.add(OpCode.SetXattr, root, own, { arg, value: 'owner', isOptional: true })
  batch.add(OpCode.RemoveDir, root, own)
  const errnos = (await submit(batch)).map(({ errno }) => errno)
  roots.close()
  process.stdout.write(JSON.stringify({ isRootless: rootless(host), writable, errnos }))
}

lookUnprivileged().catch((error: Error) => {
  process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
})
