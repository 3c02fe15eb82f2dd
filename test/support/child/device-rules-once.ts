import { detectHost } from '../../../src/host/detect'
import type { RememberedProgram } from '../../../src/plan/remembered-program'
import { rules } from '../device-rules'
import { DeviceSession } from '../device-session'

// Applies lists of device rules to a v2 cgroup, one after the other, and says in JSON how often something was done, what
// is remembered then, and what went wrong.

const [id = '', memory = 'null', ...lists] = process.argv.slice(2)

async function applyAll(): Promise<void> {
  const hierarchy = detectHost().hierarchies.find(({ version }) => version === 2)
  if (hierarchy === undefined) throw new Error('no cgroup v2 is mounted')
  const session = new DeviceSession(hierarchy, id, JSON.parse(memory) as RememberedProgram | null)
  const said = { done: 0, errors: [] as unknown[] }
  for (const list of lists) {
    try {
      const outcomes = await session.apply(rules(...list.split(', ')))
      said.done += outcomes.filter(({ errno }) => errno === 0).length
      said.errors.push(...outcomes.flatMap(({ cause }) => (cause === undefined ? [] : [describe(cause)])))
    } catch (error) {
      said.errors.push(describe(error))
    }
  }
  process.stdout.write(JSON.stringify({ ...said, memory: session.memory }))
  session.close()
}

function describe(error: unknown) {
  const { code, value, message } = Object(error) as Record<string, unknown>
  return { code, value, message }
}

void applyAll()
