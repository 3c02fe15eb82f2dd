import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  readState,
  removeState,
  type SandboxState,
  type ScopeState,
  statePaths,
  writeState,
} from '../../src/state/state-file'

const scope: ScopeState = {
  slice: 'system.slice',
  unit: 'vmcg-vm1.scope',
  description: 'vmcg sandbox vm1',
  path: '/system.slice/vmcg-vm1.scope',
  hierarchies: ['unified'],
  invocationId: '0123456789abcdef0123456789abcdef',
}

const state: SandboxState = {
  schema: 1,
  id: 'vm1',
  driver: 'cgroupfs',
  parent: '/kata',
  hasLeaf: true,
  tagAttribute: 'trusted.vmcg',
  takenOver: [],
  nonce: '0123456789abcdef',
  threads: [],
  devices: [],
  standstill: null,
  program: null,
  merge: { unlimited: 'uncap', memoryOverheadBytes: 1024, unsupported: 'error' },
  containers: [
    { id: 'web', resources: { cpu: { quota: 30000, period: 100000 } } },
    { id: 'db', resources: null },
  ],
  applied: { cpu: { quota: 30000, period: 100000, cpus: '0-1' } },
  claimed: ['cpu,cpuacct', 'cpuset'],
  managed: [{ hierarchy: 'cpu,cpuacct', path: '/kata/vm1/vcpu', knob: 'cpu.cfs_quota_us', value: '50000' }],
  processes: [{ pid: 100, startTime: 12345, role: 'vmm', origins: { 'cpu,cpuacct': '/user ö' } }],
}

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
  path = join(directory, 'x.json')
})

afterEach(() => rmSync(directory, { recursive: true }))

it('comes back as it was written', async () => {
  await writeState(path, state)
  expect(await readState(path)).toEqual(state)
  expect(readdirSync(directory)).toEqual(['x.json'])
})

it('is undefined where there is none, also after it was removed, twice', async () => {
  expect(await readState(path)).toBeUndefined()
  await writeState(path, state)
  await removeState(path)
  await removeState(path)
  expect(await readState(path)).toBeUndefined()
})

describe('its mode', () => {
  it('is 0600, whatever the umask', async () => {
    const umask = process.umask(0)
    await writeState(path, state).finally(() => process.umask(umask))
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('is not that of a temporary file that a crash has left, nor are its bytes', async () => {
    writeFileSync(`${path}.new`, 'x'.repeat(10_000))
    chmodSync(`${path}.new`, 0o666)
    await writeState(path, state)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await readState(path)).toEqual(state)
  })
})

it('is whole at every moment: a reader finds the old state or the new one', async () => {
  const large = { ...state, claimed: Array.from({ length: 2000 }, (_, index) => `hierarchy-${index}`) }
  await writeState(path, state)
  let isDone = false
  const writing = (async () => {
    for (let round = 0; round < 50; round += 1) await writeState(path, round % 2 === 0 ? large : state)
    isDone = true
  })()
  const sizes = new Set<number | undefined>()
  while (!isDone) sizes.add((await readState(path))?.claimed.length)
  await writing
  expect([...sizes].every((size) => size === 2 || size === 2000)).toBe(true)
})

it('stays as it was when a new one cannot be written, and no temporary file is left', async () => {
  await writeState(path, state)
  const cyclic: SandboxState = { ...state }
  Object.assign(cyclic, { applied: { cyclic } })
  await expect(writeState(path, cyclic)).rejects.toMatchObject({ code: 'ERR_VMCG_STATE', path })
  expect(await readState(path)).toEqual(state)
  expect(readdirSync(directory)).toEqual(['x.json'])
})

it('takes along, when it is removed, what a crash has left of a temporary file', async () => {
  await writeState(path, state)
  writeFileSync(`${path}.new`, 'half of')
  await removeState(path)
  expect(readdirSync(directory)).toEqual([])
})

it('is an error where its directory has gone', async () => {
  const gone = join(directory, 'gone', 'x.json')
  await expect(writeState(gone, state)).rejects.toMatchObject({ code: 'ERR_VMCG_STATE', path: gone })
})

it('says which system call the kernel has refused when it cannot be written', async () => {
  mkdirSync(path)
  await expect(writeState(path, state)).rejects.toMatchObject({
    code: 'ERR_VMCG_STATE',
    path,
    cause: { code: 'EISDIR', syscall: 'renameat', path },
  })
  expect(readdirSync(directory)).toEqual(['x.json'])
})

it('is written together with many others, each as a whole', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `vm${index}`)
  await Promise.all(names.map((id) => writeState(join(directory, `${id}.json`), { ...state, id })))
  for (const id of names) expect(await readState(join(directory, `${id}.json`))).toEqual({ ...state, id })
  expect(readdirSync(directory)).toHaveLength(names.length)
})

describe('links', () => {
  it('are not followed when it is read', async () => {
    await writeState(join(directory, 'other.json'), state)
    symlinkSync('other.json', path)
    await expect(readState(path)).rejects.toMatchObject({ code: 'ERR_VMCG_STATE', path })
  })

  it('are replaced, and what they lead to is not touched, when it is written', async () => {
    const other = join(directory, 'other')
    const linked = join(directory, 'linked')
    writeFileSync(other, 'mine')
    writeFileSync(linked, 'mine')
    symlinkSync(other, path)
    symlinkSync(other, `${path}.new`)
    await writeState(path, state)
    expect(await readState(path)).toEqual(state)
    linkSync(linked, `${path}.new`)
    await writeState(path, state)
    expect([readFileSync(other, 'utf8'), readFileSync(linked, 'utf8')]).toEqual(['mine', 'mine'])
  })
})

it('of a newer vmcg is refused, not guessed at', async () => {
  writeFileSync(path, JSON.stringify({ ...state, schema: 2 }))
  await expect(readState(path)).rejects.toMatchObject({
    code: 'ERR_VMCG_STATE',
    message: expect.stringContaining('newer vmcg (schema 2'),
    value: '2',
  })
})

it.each<[string, string]>([
  ['empty', ''],
  ['cut off', JSON.stringify(state).slice(0, -20)],
  ['null', 'null'],
  ['a list', '[]'],
  ['a text', '"state"'],
  ['of no schema', JSON.stringify({ ...state, schema: undefined })],
  ['of schema 0', JSON.stringify({ ...state, schema: 0 })],
  ['of another driver', JSON.stringify({ ...state, driver: 'crun' })],
  ['of systemd, and without a unit', JSON.stringify({ ...state, driver: 'systemd' })],
  [
    'with limits of a unit that are no numbers',
    JSON.stringify({ ...state, driver: 'systemd', scope: { ...scope, mirror: { memoryMaxBytes: '1' } } }),
  ],
  ['of no systemd, and with a unit', JSON.stringify({ ...state, scope })],
  [
    'of a unit without a place',
    JSON.stringify({ ...state, driver: 'systemd', scope: { ...scope, path: 1 } }),
  ],
  ['without a nonce', JSON.stringify({ ...state, nonce: undefined })],
  ['with a number for its id', JSON.stringify({ ...state, id: 7 })],
  ['with a text for its resources', JSON.stringify({ ...state, applied: 'all' })],
  [
    'with a container of the resources 5',
    JSON.stringify({ ...state, containers: [{ id: 'a', resources: 5 }] }),
  ],
  ['with a container that is null', JSON.stringify({ ...state, containers: [null] })],
  ['with a hierarchy that is a number', JSON.stringify({ ...state, claimed: [1] })],
  ['with a knob without a path', JSON.stringify({ ...state, managed: [{ hierarchy: 'cpu', knob: 'k' }] })],
  [
    'with a text for its overhead',
    JSON.stringify({ ...state, merge: { ...state.merge, memoryOverheadBytes: '1', unsupported: 'error' } }),
  ],
  ['with pid 0', JSON.stringify({ ...state, processes: [{ ...state.processes[0], pid: 0 }] })],
  ['with a pid below 0', JSON.stringify({ ...state, processes: [{ ...state.processes[0], pid: -1 }] })],
  ['with an unknown role', JSON.stringify({ ...state, processes: [{ ...state.processes[0], role: 'x' }] })],
  [
    'with an origin that is no path',
    JSON.stringify({ ...state, processes: [{ ...state.processes[0], origins: { cpu: 5 } }] }),
  ],
  ['without origins', JSON.stringify({ ...state, processes: [{ ...state.processes[0], origins: [] }] })],
])('that is %s counts as damaged', async (_, text) => {
  writeFileSync(path, text)
  await expect(readState(path)).rejects.toMatchObject({
    code: 'ERR_VMCG_STATE',
    message: `${path} is damaged`,
    hint: expect.stringContaining(`cat ${path}`),
  })
})

it('cannot be removed where it is a directory, which is said', async () => {
  await expect(removeState(directory)).rejects.toMatchObject({ code: 'ERR_VMCG_STATE', path: directory })
})

describe('its path', () => {
  const where = { driver: 'cgroupfs', parent: '/kata', id: 'vm1' } as const

  it('stays in the directory, whatever parent and id hold', () => {
    const { state: file, lock } = statePaths('/run/vmcg', { ...where, parent: '/a/../..', id: '../x' })
    expect(file).toMatch(/^\/run\/vmcg\/[0-9a-f]{32}\.json$/)
    expect(lock).toBe(file.replace(/json$/, 'lock'))
  })

  it('tells apart parents and ids that read the same when joined', () => {
    const paths = [
      where,
      { ...where, parent: '/kata/a', id: 'b' },
      { ...where, parent: '/kata', id: 'a/b' },
      { ...where, id: 'vm2' },
    ]
    expect(new Set(paths.map((one) => statePaths('/run/vmcg', one).state)).size).toBe(4)
  })
})
