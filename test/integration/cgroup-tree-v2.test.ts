import { cgroupsBelow, idsBelow } from '../../src/engine/cgroup-tree'
import { describeWith } from '../support/require'
import { UNIFIED, UnifiedHome } from '../support/unified-home'

let home: UnifiedHome
let leaf: string

beforeEach(() => {
  home = new UnifiedHome()
  leaf = `${home.path}/vcpu`
})
afterEach(() => home.clear())

const processes = (path = home.path) => idsBelow(home.roots, home.hierarchies, path, 'cgroup.procs', {})
const threads = (path = home.path) => idsBelow(home.roots, home.hierarchies, path, 'tasks', {})
const inOrder = (...ids: number[]) => ids.sort((a, b) => a - b)

describeWith(['root', 'unified', 'python'], 'who is in a threaded subtree', () => {
  test('is told at its root: processes once, threads wherever they are', async () => {
    const { pid, busy } = await home.runTwoThreads()
    home.makeThreaded(leaf)
    home.write('cgroup.threads', busy, leaf)
    expect(home.tids()).toEqual([pid])
    expect(await processes()).toEqual([pid])
    expect(await threads()).toEqual(inOrder(pid, busy))
  })

  test('is told in a leaf too, where the kernel does not tell processes', async () => {
    const { pid, busy } = await home.runTwoThreads()
    const neighbour = await home.run(['sleep', '60'])
    home.makeThreaded(leaf)
    home.write('cgroup.threads', busy, leaf)
    expect(() => home.pids(leaf)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }))
    expect(await processes(leaf)).toEqual([pid])
    expect(await threads(leaf)).toEqual([busy])
    expect(await processes()).toEqual(inOrder(pid, neighbour.pid))
  })

  test('is told from above its root', async () => {
    const root = `${home.path}/vm`
    const below = `${root}/vcpu`
    const { pid, busy } = await home.runTwoThreads()
    home.make(root)
    home.write('cgroup.procs', pid, root)
    home.makeThreaded(below)
    home.write('cgroup.threads', busy, below)
    expect(await processes()).toEqual([pid])
    expect(await threads()).toEqual(inOrder(pid, busy))
  })
})

describeWith(['root', 'unified'], 'the cgroups of a tree on v2', () => {
  test('are listed from the top', async () => {
    if (UNIFIED === undefined) throw new Error('no cgroup v2 mount')
    for (const path of [leaf, `${leaf}/0`, `${home.path}/other`]) home.make(path)
    const [first, ...others] = await cgroupsBelow(home.roots, UNIFIED, home.path, {})
    expect(first).toBe(home.path)
    expect(others.sort()).toEqual([`${home.path}/other`, leaf, `${leaf}/0`])
    expect(await cgroupsBelow(home.roots, UNIFIED, `${home.path}/gone`, {})).toEqual([])
  })

  test('hold nobody where they are not there', async () => {
    expect(await processes(`${home.path}/gone`)).toEqual([])
    expect(await threads(`${home.path}/gone`)).toEqual([])
  })
})
