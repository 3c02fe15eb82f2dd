import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  canWrite,
  delegatedHost,
  mapsEveryIdToItself,
  reachableOrigins,
  rootless,
} from '../../src/host/rootless'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcg-test-rootless-'))
  mkdirSync(join(folder, 'self'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it.each([
  ['         0          0 4294967295\n', true],
  ['         0       1000          1\n', false],
  ['         0     100000      65536\n', false],
  ['         0       1000          1\n         1     100000      65536\n', false],
  ['         1          0 4294967294\n', false],
  ['', false],
])('the map %j is the host’s own: %p', (map, isHost) => {
  expect(mapsEveryIdToItself(map)).toBe(isHost)
})

it.each([
  ['0 0 4294967295', true, false],
  ['0 1000 1', true, true],
  ['0 0 4294967295', false, true],
])('with the map %j and root’s id %p it is rootless: %p', (map, isRoot, expected) => {
  writeFileSync(join(folder, 'self', 'uid_map'), map)
  expect(rootless({ isRoot }, { procRoot: folder })).toBe(expected)
})

it('takes a kernel without user namespaces for the host’s own', () => {
  writeFileSync(join(folder, 'self', 'stat'), '')
  expect(rootless({ isRoot: true }, { procRoot: folder })).toBe(false)
})

it('says that proc is not mounted', () => {
  expect(() => rootless({ isRoot: true }, { procRoot: join(folder, 'nowhere') })).toThrow(
    expect.objectContaining({ code: 'ENOENT' }),
  )
})

it('can write nothing to a hierarchy that is mounted read-only', async () => {
  expect(await canWrite({ mountPoint: folder, isReadOnly: true, version: 1 }, '/vm')).toBe(false)
})

it('can make nothing where nothing is mounted', async () => {
  expect(await canWrite({ mountPoint: join(folder, 'nowhere'), isReadOnly: false, version: 1 }, '/vm')).toBe(
    false,
  )
})

describe('on cgroup v2', () => {
  const unified = () => ({ mountPoint: folder, isReadOnly: false, version: 2 as const })
  const make = (path: string, ...files: readonly string[]) => {
    mkdirSync(join(folder, path))
    for (const file of files) writeFileSync(join(folder, path, file), '')
  }

  it('can make a cgroup where it can hand controllers down to it', async () => {
    make('given', 'cgroup.procs', 'cgroup.subtree_control')
    make('withheld', 'cgroup.procs')
    expect(await canWrite(unified(), '/given/below/vm')).toBe(true)
    expect(await canWrite(unified(), '/withheld/below/vm')).toBe(false)
  })

  it('can use a cgroup that takes processes', async () => {
    make('given', 'cgroup.procs')
    make('withheld', 'cgroup.subtree_control')
    expect(await canWrite(unified(), '/given')).toBe(true)
    expect(await canWrite(unified(), '/withheld')).toBe(false)
  })
})

it('says what is wrong with a path that leads through a file', async () => {
  writeFileSync(join(folder, 'file'), '')
  await expect(
    canWrite({ mountPoint: folder, isReadOnly: false, version: 1 }, '/file/vm'),
  ).rejects.toMatchObject({
    code: 'ENOTDIR',
    syscall: 'access',
  })
})

it('leaves those hierarchies that can be written to, and finds their controllers', async () => {
  const hierarchy = (id: string, isReadOnly: boolean) => {
    const hierarchyAt = { id, version: 1 as const, controllers: [id], mountPoint: folder, mountRoot: '/' }
    return { ...hierarchyAt, isReadOnly }
  }
  const hierarchies = [hierarchy('cpu', false), hierarchy('memory', true)]
  const controller = (name: string) => hierarchies.find(({ id }) => id === name)
  const host = { layout: 'v1' as const, hierarchies, controller, kernel: '6.1.0', isRoot: false }
  const delegated = await delegatedHost(host, '/vm')
  expect(delegated.hierarchies.map(({ id }) => id)).toEqual(['cpu'])
  expect(delegated.withheld).toEqual(['memory'])
  expect([delegated.controller('cpu')?.id, delegated.controller('memory')]).toEqual(['cpu', undefined])
})

it('gives nobody back to where this user may move nobody, but root goes everywhere', async () => {
  const readOnly = {
    id: 'cpu',
    version: 1 as const,
    controllers: ['cpu'],
    mountPoint: folder,
    mountRoot: '/',
    isReadOnly: true,
  }
  const origins = { cpu: '/session' }
  const hierarchies = [readOnly]
  expect(await reachableOrigins({ hierarchies, withheld: [] }, origins, '/mine')).toEqual({ cpu: '/mine' })
  expect(await reachableOrigins({ hierarchies }, origins, '/mine')).toEqual(origins)
})
