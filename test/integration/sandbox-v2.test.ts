import { execFileSync } from 'node:child_process'
import { mkdirSync, rmdirSync } from 'node:fs'
import type { ContainerConfig } from '../../src/model/container'
import type { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import {
  cpusOf,
  memoryLimitOf,
  processLimitOf,
  quotaOf,
  setWeight,
  threadsWeight,
  weightOf,
} from '../support/cgroup-limits'
import {
  directory,
  everywhere,
  exists,
  handDown,
  isControlled,
  makeCgroup,
  makeThreaded,
  moveProcess,
  placeOf,
  readKnob,
  threadsIn,
  writeKnob,
} from '../support/cgroups'
import { onOperation, operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf, type StandIn } from '../support/stand-in'

// What only cgroup v2 has: types of cgroups, and controllers that are handed down from the root, or not.

jest.setTimeout(patience(60_000))

let bench: Bench
let vmm: StandIn
let vcpus: readonly number[]

beforeEach(async () => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const MIB = 2 ** 20
const CPU = { quota: 50_000, period: 100_000 }
const EVERYTHING: ContainerConfig = {
  id: 'c1',
  spec: {
    linux: {
      resources: { cpu: { ...CPU, cpus: '0' }, memory: { limit: 512 * MIB }, pids: { limit: 200 } },
    },
  },
}

const ours = () => `${bench.parent}/vm`
const leaf = () => `${bench.parent}/vm/vcpu`
const typeOf = (path: string) => readKnob('cpu', path, 'cgroup.type')
const handedDown = (path: string) =>
  readKnob('cpu', path, 'cgroup.subtree_control').split(' ').filter(Boolean).sort()

/** A sandbox with a VMM of two vCPUs. */
async function attached(...containers: readonly ContainerConfig[]): Promise<Sandbox> {
  vmm = await bench.standIn()
  vcpus = await vmm.start(2)
  const sandbox = await bench.sandbox({ containers, memoryOverheadBytes: 0 })
  await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
  return sandbox
}

describeWith(['root', 'cgroup-v2', 'python'], 'the cgroups of a sandbox on v2', () => {
  test('are a root of threads with a threaded leaf, and everything above stays an ordinary cgroup', async () => {
    const sandbox = await attached(EVERYTHING)
    await sandbox.apply()
    expect([typeOf(bench.parent), typeOf(ours()), typeOf(leaf())]).toEqual([
      'domain',
      'domain threaded',
      'threaded',
    ])
    expect(threadsIn(ours())).toEqual([vmm.pid])
    expect(threadsIn(leaf())).toEqual(vcpus)
    expect(readKnob('cpu', ours(), 'cgroup.procs')).toBe(String(vmm.pid))
  })

  test('hold the process as a whole above, and the time of its vCPUs in the leaf', async () => {
    const sandbox = await attached(EVERYTHING)
    await sandbox.apply()
    expect(memoryLimitOf(ours())).toBe(512 * MIB)
    expect(processLimitOf(ours())).toBe(200)
    expect([quotaOf(leaf()), cpusOf(leaf()), weightOf(leaf())]).toEqual([CPU, '0', threadsWeight(2)])
    expect([quotaOf(ours()).quota, cpusOf(ours())]).toEqual([null, cpusOf(bench.parent)])
    const stats = await sandbox.stats()
    expect(stats.vcpu).toMatchObject({ quotaUs: 50_000, periodUs: 100_000 })
    expect(stats.emulator.throttling.throttledPeriods).toBe(0)
    expect(stats.threads).toEqual({ vcpu: 2, emulator: 1 })
  })

  test('are handed the controllers that a limit needs and no others, and the leaf those of threads', async () => {
    await (await attached(container(CPU))).apply()
    expect(handedDown(bench.parent)).toEqual(['cpu'])
    expect(handedDown(ours())).toEqual(['cpu'])

    const more = await bench.sandbox({ containers: [EVERYTHING], memoryOverheadBytes: 0 })
    await more.attach(hypervisorOf(vmm.pid, () => vcpus))
    await more.apply()
    expect(handedDown(bench.parent)).toEqual(['cpu', 'cpuset', 'memory', 'pids'])
    expect(handedDown(ours())).toEqual(['cpu', 'cpuset'])
    expect(handedDown(leaf())).toEqual([])
  })

  test('take no controller away from anybody: not with their last limit, and not with their end', async () => {
    makeCgroup(bench.parent, ['cpu'])
    handDown(bench.parent, ['pids'])
    const sandbox = await attached(EVERYTHING)
    await sandbox.apply()
    sandbox.removeContainer('c1')
    await sandbox.apply()
    const all = ['cpu', 'cpuset', 'memory', 'pids']
    expect(handedDown(bench.parent)).toEqual(all)
    await sandbox.destroy()
    expect(handedDown(bench.parent)).toEqual(all)
    expect(handedDown('/')).toEqual(expect.arrayContaining(all))
  })

  test("leave somebody else's beside them as they are", async () => {
    const neighbour = await bench.standIn()
    const path = `${bench.parent}/neighbour`
    makeCgroup(bench.parent)
    makeCgroup(path, ['cpu'])
    setWeight(path, 77)
    moveProcess(path, neighbour.pid)
    const sandbox = await attached(EVERYTHING)
    await sandbox.apply()
    const says = () => [typeOf(path), weightOf(path), handedDown(path), placeOf(neighbour.pid)]
    expect(says()).toEqual(['domain', 77, [], everywhere(path)])
    await sandbox.destroy()
    expect(says()).toEqual(['domain', 77, [], everywhere(path)])
  })
})

describeWith(['root', 'cgroup-v2', 'python'], 'on v2 a sandbox is refused before anything is made', () => {
  async function expectRefusal(act: () => Promise<unknown>, error: object): Promise<void> {
    const done = await operationsDuring(() => expect(act()).rejects.toMatchObject(error))
    expect(done).toEqual([])
  }

  test('where the parent has processes of its own, until somebody moves them', async () => {
    makeCgroup(bench.parent, ['cpu'])
    const resident = await bench.standIn()
    moveProcess(bench.parent, resident.pid)
    await expectRefusal(() => attached(container(CPU)), {
      name: 'CgroupError',
      code: 'ERR_VMCG_INTERNAL_PROCESSES',
      message: expect.stringContaining(`${directory('cpu', bench.parent)} holds processes of its own (1)`),
      path: `${directory('cpu', bench.parent)}/cgroup.subtree_control`,
      value: '+cpu',
      hint: expect.stringContaining(`cat ${directory('cpu', bench.parent)}/cgroup.procs`),
    })
    expect(exists(ours())).toBe(false)
    moveProcess('/', resident.pid)
    const sandbox = await attached(container(CPU))
    // Who comes in between is seen by apply as well.
    moveProcess(bench.parent, resident.pid)
    await expectRefusal(() => sandbox.apply(), { code: 'ERR_VMCG_INTERNAL_PROCESSES' })
    moveProcess('/', resident.pid)
    expect((await sandbox.apply()).placed).toEqual(vcpus)
  })

  test("where the parent is the root of somebody's threads", async () => {
    makeCgroup(bench.parent, ['cpu'])
    makeThreaded(`${bench.parent}/threads`)
    await expectRefusal(() => attached(container(CPU)), {
      code: 'ERR_VMCG_CGROUP_TYPE',
      message: expect.stringContaining(`${directory('cpu', bench.parent)} is "domain threaded"`),
      path: `${directory('cpu', bench.parent)}/cgroup.type`,
      value: 'domain threaded',
      hint: expect.stringContaining('choose a parent'),
    })
    expect(exists(ours())).toBe(false)
    expect(typeOf(`${bench.parent}/threads`)).toBe('threaded')
  })

  test("where the parent is invalid beside somebody's threads", async () => {
    makeCgroup(bench.parent, ['cpu'])
    makeThreaded(`${bench.parent}/threads`)
    const parent = `${bench.parent}/invalid`
    mkdirSync(directory('cpu', parent))
    const creating = () => bench.sandbox({ parent, containers: [container(CPU)] })
    await expectRefusal(creating, { code: 'ERR_VMCG_CGROUP_TYPE', value: 'domain threaded' })
    expect(typeOf(parent)).toBe('domain invalid')
  })

  test('where its leaf was made again and holds a process, since such a one cannot be made threaded', async () => {
    const sandbox = await attached(container(CPU))
    await sandbox.apply()
    const tag = tagOf(leaf())
    moveProcess('/', vmm.pid)
    rmdirSync(directory('cpu', leaf()))
    mkdirSync(directory('cpu', leaf()))
    const squatter = await bench.standIn()
    moveProcess(leaf(), squatter.pid)
    await expectRefusal(() => sandbox.apply(), {
      code: 'ERR_VMCG_FOREIGN_CGROUP',
      path: directory('cpu', leaf()),
    })

    setTag(leaf(), tag)
    await expectRefusal(() => sandbox.apply(), {
      code: 'ERR_VMCG_CGROUP_TYPE',
      message: expect.stringContaining('cannot be made threaded any more'),
      path: `${directory('cpu', leaf())}/cgroup.type`,
      value: 'threaded',
      hint: expect.stringContaining(`cat ${directory('cpu', leaf())}/cgroup.procs`),
    })
    expect(placeOf(squatter.pid)).toEqual(everywhere(leaf()))

    moveProcess('/', squatter.pid)
    expect((await sandbox.apply()).placed).toEqual(vcpus)
    expect(typeOf(leaf())).toBe('threaded')
  })
})

describeWith(
  ['root', 'cgroup-v2', 'python'],
  'a controller that is taken away, as a reload of systemd does',
  () => {
    function takeAway(name: 'cpu'): void {
      for (const path of [ours(), bench.parent]) writeKnob(name, path, 'cgroup.subtree_control', `-${name}`)
      expect(isControlled(leaf(), name)).toBe(false)
    }

    test('is given back by the next refresh, with its limits', async () => {
      const sandbox = await attached(container({ ...CPU, shares: 512 }))
      await sandbox.apply()
      const before = weightOf(ours())
      takeAway('cpu')
      await sandbox.refresh()
      expect([quotaOf(leaf()), weightOf(leaf()), weightOf(ours())]).toEqual([CPU, threadsWeight(2), before])
      expect(threadsIn(leaf())).toEqual(vcpus)
      expect((await sandbox.refresh()).isChanged).toBe(false)
    })

    test('between the look and the write is given back at once, and the write is tried again', async () => {
      const sandbox = await attached(container(CPU))
      await sandbox.apply()
      sandbox.setContainer(container({ quota: 30_000, period: 100_000, cpus: '0' }))
      let isTaken = false
      await onOperation(
        () => {
          if (isTaken) return
          isTaken = true
          takeAway('cpu')
        },
        () => sandbox.apply(),
      )
      expect([quotaOf(leaf()).quota, cpusOf(leaf()), weightOf(leaf())]).toEqual([
        30_000,
        '0',
        threadsWeight(2),
      ])
      expect((await sandbox.apply()).isChanged).toBe(false)
    })
  },
)

const ATTRIBUTE = 'trusted.vmcg'

function tagOf(path: string): string {
  const program = `import os, sys; print(os.getxattr(sys.argv[1], '${ATTRIBUTE}').decode(), end='')`
  return execFileSync('python3', ['-c', program, directory('cpu', path)], { encoding: 'utf8' })
}

function setTag(path: string, tag: string): void {
  const program = `import os, sys; os.setxattr(sys.argv[1], '${ATTRIBUTE}', sys.argv[2].encode())`
  execFileSync('python3', ['-c', program, directory('cpu', path), tag])
}
