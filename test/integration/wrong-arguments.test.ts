import { detectHost } from '../../src/host/detect'
import { CgroupManager } from '../../src/manager'
import { Sandbox } from '../../src/sandbox'
import { ManagerBench } from '../support/manager-bench'
import { describeWith } from '../support/require'
import { callMethod, type Sink, sinksOf, strayErrors } from '../support/wrong-arguments'

let bench: ManagerBench
let manager: CgroupManager
let sandbox: Sandbox

beforeEach(async () => {
  bench = new ManagerBench()
  manager = await bench.manager()
  sandbox = await Sandbox.create({ ...placeOf('mine') })
  bench.atEnd(() => sandbox.close())
})
afterEach(() => bench.clear())

const placeOf = (id: string) => ({ id, parent: bench.parent, stateDir: bench.stateDir })

type Opened = Promise<{ close(): Promise<void> }>

/** Opens another object with these options beside those that keep it below the bench, and closes it. */
async function open(
  type: object,
  how: string,
  args: readonly unknown[],
  needed: Readonly<Record<string, unknown>>,
): Promise<void> {
  const options = args.at(-1)
  const isObject = typeof options === 'object' && options !== null && !Array.isArray(options)
  const full = isObject ? [...args.slice(0, -1), { ...needed, ...options }] : args
  await (await (callMethod(type, how, full) as Opened)).close()
}

const ofManager = (name: string) => (args: readonly unknown[]) => callMethod(manager, name, args)
const ofSandbox = (name: string) => (args: readonly unknown[]) => callMethod(sandbox, name, args)

/** Of what every object with a state takes; a text is a directory that would be made. */
const OPENING = ['lockTimeoutMs', 'writeTimeoutMs', 'unsupported', 'logger', 'signal']
const stateDir = (name: string, pass: Sink['pass']): Sink => ({
  name: `${name}, stateDir`,
  pass: (value) => (value === undefined || typeof value === 'string' ? undefined : pass(value)),
})

const create = (args: readonly unknown[]) =>
  open(CgroupManager, 'create', args, { cgroupsPath: `${bench.parent}/two`, stateDir: bench.stateDir })
const restore = (args: readonly unknown[]) => open(CgroupManager, 'restore', args, {})
const begin = (args: readonly unknown[]) => open(Sandbox, 'create', args, placeOf('other'))
const load = (args: readonly unknown[]) => open(Sandbox, 'load', args, placeOf('mine'))
const hypervisor = {
  name: 'odd',
  pid: () => process.pid,
  threads: async () => ({ vcpus: new Map(), iothreads: new Map() }),
  close: async () => undefined,
}

const MANAGER: readonly Sink[] = [
  ...sinksOf('create', create, [{}], [...OPENING, 'cgroupsPath', 'id', 'paths', 'resources', 'driver']),
  ...sinksOf('create', create, [{ resources: { devices: [] } }], ['hypervisorDevices']),
  stateDir('create', (value) => create([{ stateDir: value }])),
  {
    name: 'create, a directory of paths',
    pass: (value) => create([{ paths: { cpu: value } }]),
  },
  ...['deviceMapper', 'paths'].map((member) => ({
    name: `create, hypervisorDevices.${member}`,
    pass: (value: unknown) =>
      create([{ resources: { devices: [] }, hypervisorDevices: { [member]: value } }]),
  })),
  { name: 'restore, argument 1', pass: (value) => restore([value, {}]) },
  ...['version', 'path', 'stateDir'].map((member) => ({
    name: `restore, ${member}`,
    pass: (value: unknown) => restore([{ ...manager.toJSON(), [member]: value }, {}]),
  })),
  ...[...OPENING, 'resources', 'hypervisorDevices'].map((member) => ({
    name: `restore, ${member}`,
    pass: (value: unknown) => restore([manager.toJSON(), { [member]: value }]),
  })),
  ...sinksOf('add', ofManager('add'), [2 ** 22 + 1, {}], ['signal']),
  ...sinksOf('addThreads', ofManager('addThreads'), [[], {}], ['signal']),
  ...sinksOf('plan', ofManager('plan'), [{}, {}], ['signal']),
  ...sinksOf('apply', ofManager('apply'), [{}, {}], ['signal', 'plan']),
  ...['pids', 'threads', 'stats', 'freeze', 'thaw', 'moveToParent'].flatMap((name) =>
    sinksOf(name, ofManager(name), [{}], ['signal']),
  ),
  ...sinksOf('addDevice', ofManager('addDevice'), ['/dev/full', {}], ['access', 'owner', 'signal']),
  ...sinksOf('removeDevice', ofManager('removeDevice'), ['/dev/zero', {}], ['access', 'owner', 'signal']),
  ...sinksOf('setCpuset', ofManager('setCpuset'), [{}, {}], ['signal']),
  ...sinksOf('setCpuset', ofManager('setCpuset'), [{}], ['cpus', 'mems']),
  ...sinksOf('kill', ofManager('kill'), [{}], ['killSignal', 'signal']),
  ...sinksOf('destroy', ofManager('destroy'), [{}], ['processes', 'signal']),
]

const SANDBOX: readonly Sink[] = [
  ...sinksOf(
    'create',
    begin,
    [{}],
    [...OPENING, 'id', 'parent', 'containers', 'unlimited', 'memoryOverheadBytes'],
  ),
  stateDir('create', (value) => begin([{ stateDir: value }])),
  ...sinksOf('load', load, ['mine', {}], [...OPENING, 'parent', 'unlimited', 'memoryOverheadBytes']),
  stateDir('load', (value) => load(['mine', { stateDir: value }])),
  { name: 'list, argument 1', pass: (value) => callMethod(Sandbox, 'list', [value]) },
  stateDir('list', (value) => callMethod(Sandbox, 'list', [{ stateDir: value }])),
  { name: 'applyAll, argument 1', pass: (value) => callMethod(Sandbox, 'applyAll', [value]) },
  { name: 'applyAll, an entry', pass: (value) => callMethod(Sandbox, 'applyAll', [[value]]) },
  { name: 'applyAll, argument 2', pass: (value) => callMethod(Sandbox, 'applyAll', [[], value]) },
  { name: 'applyAll, signal', pass: (value) => callMethod(Sandbox, 'applyAll', [[], { signal: value }]) },
  ...sinksOf(
    'setContainer',
    ofSandbox('setContainer'),
    [{ id: 'web', spec: {} }],
    ['id', 'annotations', 'spec'],
  ),
  ...sinksOf('removeContainer', ofSandbox('removeContainer'), ['web']),
  ...sinksOf('attach', ofSandbox('attach'), [hypervisor, {}], ['own', 'signal']),
  ...['pid', 'threads', 'close', 'name'].map((member) => ({
    name: `attach, ${member} of the hypervisor`,
    pass: (value: unknown) => callMethod(sandbox, 'attach', [{ ...hypervisor, [member]: value }]),
  })),
  {
    name: 'attach, what pid() says',
    pass: (value) => callMethod(sandbox, 'attach', [{ ...hypervisor, pid: () => value }]),
  },
  ...sinksOf('add', ofSandbox('add'), [2 ** 22 + 1, {}], ['signal']),
  ...sinksOf(
    'launch',
    ofSandbox('launch'),
    ['/nonexistent/vmm', [], {}],
    [
      'signal',
      'timeoutMs',
      'hypervisor',
      'detached',
      'stdio',
      'cwd',
      'env',
      'uid',
      'gid',
      'groups',
      'rlimits',
    ],
  ),
  ...sinksOf('stats', ofSandbox('stats'), [{}], ['groups', 'timeoutMs']),
  ...sinksOf('apply', ofSandbox('apply'), [{}], ['signal', 'plan']),
  ...['plan', 'refresh', 'stats', 'threads', 'freeze', 'thaw'].flatMap((name) =>
    sinksOf(name, ofSandbox(name), [{}], ['signal']),
  ),
  ...sinksOf('kill', ofSandbox('kill'), [{}], ['killSignal', 'signal']),
  ...sinksOf('destroy', ofSandbox('destroy'), [{}], ['processes', 'signal']),
]

describeWith(
  ['root', 'cgroups'],
  'whatever is wrong is told by an error of vmcg, and changes nothing',
  () => {
    test.each(MANAGER.map((sink) => [sink.name, sink] as const))('CgroupManager: %s', async (_, sink) => {
      expect(await strayErrors(sink)).toEqual({})
      await manager.destroy()
    })

    test.each(SANDBOX.map((sink) => [sink.name, sink] as const))('Sandbox: %s', async (_, sink) => {
      expect(await strayErrors(sink)).toEqual({})
      await sandbox.destroy()
    })

    test('no method is left out', () => {
      const without = ['constructor', 'close', 'toJSON']
      const methodsOf = (type: { readonly prototype: object }) =>
        Object.entries(Object.getOwnPropertyDescriptors(type.prototype))
          .filter(([name, { value }]) => typeof value === 'function' && !without.includes(name))
          .map(([name]) => name)
      const lookedAt = (sinks: readonly Sink[]) => new Set(sinks.map(({ name }) => name.split(',')[0]))
      for (const name of methodsOf(CgroupManager)) expect([...lookedAt(MANAGER)]).toContain(name)
      for (const name of methodsOf(Sandbox)) expect([...lookedAt(SANDBOX)]).toContain(name)
      expect(detectHost().isRoot).toBe(true)
    })
  },
)
