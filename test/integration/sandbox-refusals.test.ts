import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { CONFIG_JSON_KEY } from '../../src/model/container'
import { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { setWeight, weightOf } from '../support/cgroup-limits'
import {
  directory,
  everywhere,
  exists,
  hierarchyOf,
  makeCgroup,
  moveProcess,
  placeOf,
  threadsIn,
} from '../support/cgroups'
import { runChild } from '../support/child-process'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { hypervisorOf } from '../support/stand-in'

jest.setTimeout(patience(60_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000 })

describeWith(['root', 'cgroups'], 'a sandbox is refused before anything is made', () => {
  test.each([
    ['..'],
    ['.'],
    [''],
    ['a/b'],
    ['a\0b'],
    ['a'.repeat(129)],
    ['tasks'],
    ['cgroup.procs'],
    ['cpu.max'],
    ['.hidden'],
  ])('for the id %j', async (id) => {
    const creating = Sandbox.create({ id, parent: bench.parent, stateDir: bench.stateDir })
    await expect(creating).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_ID' })
    expect(exists(bench.parent)).toBe(false)
  })

  test('for a container whose spec is broken, with its name and the place', async () => {
    const spec = JSON.stringify({ linux: { resources: { cpu: { quota: 'much' } } } })
    const creating = bench.sandbox({ containers: [{ id: 'web', annotations: { [CONFIG_JSON_KEY]: spec } }] })
    await expect(creating).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_SPEC',
      message: expect.stringMatching(/web.*quota/),
    })
    expect(exists(bench.parent)).toBe(false)
  })

  test('for CPUs that this host does not have', async () => {
    const creating = bench.sandbox({ containers: [container({ cpus: '1000' })] })
    await expect(creating).rejects.toMatchObject({ code: 'ERR_VMCG_OUT_OF_RANGE', value: '1000' })
    expect(exists(bench.parent)).toBe(false)
  })
})

describeWith(['root', 'cgroups', 'python'], "somebody else's cgroup in the sandbox's place", () => {
  test('is refused by create, and neither emptied nor changed', async () => {
    const stranger = await bench.standIn()
    makeCgroup(bench.parent)
    makeCgroup(`${bench.parent}/vm`)
    moveProcess(`${bench.parent}/vm`, stranger.pid)
    setWeight(`${bench.parent}/vm`, 77)
    await expect(bench.sandbox({ containers: [LIMITS] })).rejects.toMatchObject({
      code: 'ERR_VMCG_FOREIGN_CGROUP',
      path: directory('cpu', `${bench.parent}/vm`),
      hint: expect.stringContaining('choose another id, parent or path'),
    })
    expect(placeOf(stranger.pid)).toEqual(everywhere(`${bench.parent}/vm`))
    expect(weightOf(`${bench.parent}/vm`)).toBe(77)
  })

  test('is refused by apply when it was made after create', async () => {
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    makeCgroup(bench.parent)
    makeCgroup(`${bench.parent}/vm`)
    const done = await operationsDuring(() =>
      expect(sandbox.apply()).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_CGROUP' }),
    )
    expect(done).toEqual([])
    await sandbox.destroy()
    expect(exists(`${bench.parent}/vm`)).toBe(true)
  })

  test('is refused when it belongs to a sandbox of another state directory', async () => {
    const vmm = await bench.standIn()
    const vcpus = await vmm.start(2)
    const sandbox = await bench.sandbox({ containers: [LIMITS] })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    await sandbox.apply()
    const stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
    bench.atEnd(async () => rmSync(stateDir, { recursive: true }))
    await expect(bench.sandbox({ stateDir })).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_CGROUP' })
    expect(threadsIn(`${bench.parent}/vm/vcpu`)).toEqual(vcpus)
  })
})

describeWith(['root', 'cgroups'], 'a user without the rights', () => {
  test('is told which directory cannot be written, and what to do', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
    bench.atEnd(async () => rmSync(stateDir, { recursive: true }))
    chownSync(stateDir, 65_534, 65_534)
    const child = runChild('apply-unprivileged.ts', [bench.parent, stateDir])
    const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')])
    expect(JSON.parse(printed)).toEqual({
      code: 'EACCES',
      message: expect.stringContaining(`cannot make ${directory('cpu', bench.parent)}`),
      path: directory('cpu', bench.parent),
      hint: expect.stringContaining('run it as root'),
    })
    expect(exists(bench.parent)).toBe(false)
  })
})

function setPolicy(policy: '--fifo' | '--other', tid: number): void {
  execFileSync('chrt', [policy, '--pid', policy === '--fifo' ? '1' : '0', String(tid)])
}

describeWith(
  ['root', 'cgroup-v1', 'qemu', 'kvm', 'chrt', 'rt-group-sched'],
  'a real-time thread of a QEMU',
  () => {
    test('stays outside alone, and the report says so; once it is none any more, it comes in', async () => {
      const qemu = await bench.qemu({ iothreads: 1 })
      const hypervisor = await bench.connect(qemu)
      const iothread = (await hypervisor.threads()).iothreads.get('iothread0') ?? 0
      setPolicy('--fifo', iothread)
      const sandbox = await bench.sandbox({ containers: [LIMITS] })
      await sandbox.attach(hypervisor)
      const { left, placed } = await sandbox.apply()
      expect(left).toEqual([
        { tid: iothread, where: `${hierarchyOf('cpu')}:${bench.parent}/vm`, code: 'EINVAL' },
      ])
      expect(threadsIn(`${bench.parent}/vm/vcpu`)).toEqual(placed)
      expect(placeOf(iothread)).toMatchObject({
        cpu: placeOf(process.pid).cpu,
        cpuacct: `${bench.parent}/vm`,
      })
      expect(placeOf(qemu.pid)).toMatchObject({ cpu: `${bench.parent}/vm` })

      setPolicy('--other', iothread)
      expect((await sandbox.refresh()).left).toEqual([])
      expect(placeOf(iothread)).toMatchObject({ cpu: `${bench.parent}/vm` })
    })
  },
)

describeWith(
  ['root', 'cgroup-v1', 'python', 'chrt', 'rt-group-sched'],
  'a helper with a real-time thread',
  () => {
    test('cannot come in as a whole, and the error names the rule and the way out', async () => {
      const helper = await bench.standIn()
      const [thread = 0] = await helper.start(1)
      setPolicy('--fifo', thread)
      const sandbox = await bench.sandbox({ containers: [LIMITS] })
      await sandbox.add(helper.pid)
      await expect(sandbox.apply()).rejects.toMatchObject({
        name: 'CgroupError',
        code: 'EINVAL',
        message: expect.stringMatching(
          /cannot move process .* takes all of its threads or none, and no real-time thread may enter/,
        ),
        path: `${directory('cpu', `${bench.parent}/vm`)}/cgroup.procs`,
        value: String(helper.pid),
        hint: expect.stringContaining(`chrt --all-tasks --pid ${helper.pid}`),
      })
      expect(threadsIn(`${bench.parent}/vm`)).toEqual([])

      setPolicy('--other', thread)
      await sandbox.apply()
      expect(placeOf(thread)).toMatchObject({ cpu: `${bench.parent}/vm`, cpuacct: `${bench.parent}/vm` })
    })
  },
)
