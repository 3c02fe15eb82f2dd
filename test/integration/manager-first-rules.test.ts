import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import type { CgroupManager } from '../../src/manager'
import type { LinuxResources } from '../../src/model/generated/oci'
import { operationsOf, type Plan, type WriteKnob } from '../../src/plan/operations'
import { ManagerBench } from '../support/manager-bench'
import { type Opener, startOpener } from '../support/opener'
import { operationsDuring } from '../support/operations'
import { describeWhere, describeWith } from '../support/require'
import { rounds } from '../support/scale'

const RULES: LinuxResources = { devices: [{ allow: false, access: 'rwm' }] }
const withRule = (major: number, minor: number): LinuxResources => ({
  devices: [...(RULES.devices ?? []), { allow: true, type: 'c', major, minor, access: 'rwm' }],
})
const EVERYTHING = ['a *:* rwm']

let bench: ManagerBench
let manager: CgroupManager

beforeEach(async () => {
  bench = new ManagerBench()
  manager = await bench.manager()
})
afterEach(() => bench.clear())

const list = () => bench.read('devices', 'devices.list').split('\n')
const frozen = () => bench.read('freezer', 'freezer.state')
const kinds = (plan: Plan) => operationsOf(plan).map(({ kind }) => kind)

const IS_V1 = detectHost().controller('devices') !== undefined

/** As in a cgroup that never had rules. */
async function allowEverything(): Promise<void> {
  if (IS_V1) bench.write('devices', 'devices.allow', 'a')
  else await manager.apply({})
}

function deviceWrites(plan: Plan): readonly WriteKnob[] {
  return operationsOf(plan).filter((operation): operation is WriteKnob => operation.kind === 'write-knob')
}

describeWith(
  ['root', 'cgroups', 'devices', 'freezer', 'python'],
  'a process that opens an allowed device all the time while its cgroup gets the first device rules',
  () => {
    let opener: Opener
    beforeEach(async () => {
      opener = await startOpener(bench, '/dev/null')
      await manager.add(opener.pid)
    })

    test('is not refused once', async () => {
      for (let round = 0; round < rounds(20, 5); round += 1) {
        await allowEverything()
        await opener.refusals()
        await manager.apply(RULES)
        expect(await opener.refusals()).toBe(0)
        expect(await bench.mayOpen('/dev/kmsg')).toBe(false)
      }
      expect(bench.isFrozen()).toBe(false)
    })

    describeWhere(IS_V1, 'v1 hierarchy of devices', 'one write for each rule', () => {
      test('would refuse it if it ran on between them', async () => {
        const writes = deviceWrites(await manager.plan(RULES))
        let refusals = 0
        for (const { knob, value } of writes) {
          bench.write('devices', knob, value)
          refusals += await opener.refusals()
        }
        expect(refusals).toBeGreaterThan(0)
      })
    })
  },
)

describeWith(['root', 'cgroup-v2', 'python'], 'on cgroup v2, the first device rules', () => {
  test('are one program for all of them, and freeze nobody', async () => {
    const standIn = await bench.standIn()
    await manager.add(standIn.pid)
    const plan = await manager.plan(RULES)
    expect(kinds(plan)).toEqual(['device-program'])
    const done = await operationsDuring(() => manager.apply(RULES, { plan }))
    expect(done.map(({ operation }) => operation)).toEqual(operationsOf(plan))
    expect(kinds(await manager.plan(withRule(1, 11)))).toEqual(['device-program'])
    expect(kinds(await manager.plan())).toEqual([])
  })

  test('are in force for this very process, and for those that the user has frozen', async () => {
    const standIn = await bench.standIn()
    await manager.add(standIn.pid)
    await manager.freeze()
    expect((await manager.apply(RULES)).warnings).toEqual([])
    expect(bench.isFrozen()).toBe(true)
    await manager.thaw()
    expect(await bench.mayOpen('/dev/kmsg')).toBe(false)
    await standIn.start(0)
  })
})

describeWith(['root', 'cgroup-v1', 'devices-v1', 'freezer-v1', 'python'], 'the first device rules', () => {
  test('are written between a freeze and a thaw, as the plan shows; later ones are not', async () => {
    const standIn = await bench.standIn()
    await manager.add(standIn.pid)
    const plan = await manager.plan(RULES)
    expect(kinds(plan).at(0)).toBe('freeze')
    expect(kinds(plan).at(-1)).toBe('thaw')
    const done = await operationsDuring(() => manager.apply(RULES, { plan }))
    expect(done.map(({ operation }) => operation)).toEqual(operationsOf(plan))
    expect(done.every(({ errno }) => errno === 0)).toBe(true)
    expect(kinds(await manager.plan(withRule(1, 11)))).toEqual(['write-knob'])
    expect(kinds(await manager.plan())).toEqual([])
  })

  test('leave frozen what the user has frozen', async () => {
    const standIn = await bench.standIn()
    await manager.add(standIn.pid)
    await manager.freeze()
    await manager.apply(RULES)
    expect(list()).not.toEqual(EVERYTHING)
    expect(frozen()).toBe('FROZEN')
    await manager.thaw()
    await standIn.start(0)
  })

  test('do not freeze this very process, and say so', async () => {
    await manager.add(process.pid)
    bench.atEnd(() => manager.moveToParent().then(() => undefined))
    const { warnings } = await manager.apply(RULES)
    expect(warnings).toEqual([expect.stringContaining('this very process is inside')])
    expect(list()).not.toEqual(EVERYTHING)
    expect((await manager.apply()).warnings).toEqual([])
  })

  test('are taken back before the thaw when the kernel refuses one of them', async () => {
    const standIn = await bench.standIn()
    await manager.add(standIn.pid)
    bench.write('devices', 'devices.deny', 'c 9:9 rwm', bench.parent)
    const error = await manager.apply({ ...withRule(9, 9), pids: { limit: 70 } }).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'EPERM', value: 'c 9:9 rwm' })
    expect(list()).toEqual(EVERYTHING)
    expect(bench.read('pids', 'pids.max')).toBe('max')
    expect(frozen()).toBe('THAWED')
    expect(state()).toMatchObject({ standstill: null })
  })
})

// A scope of systemd is there with its first process.
describeWith(
  ['root', 'cgroup-v1', 'cgroupfs-driver', 'devices-v1', 'freezer-v1', 'python'],
  'the first device rules of a cgroup that no process was added to',
  () => {
    beforeEach(() => manager.apply({ pids: { limit: 100 } }))

    test('freeze nobody where nobody is', async () => {
      expect(kinds(await manager.plan(RULES))).not.toContain('freeze')
    })

    test('are written without a freeze, and with a warning, where the freezer does not hold the process', async () => {
      const standIn = await bench.standIn()
      bench.write('devices', 'cgroup.procs', standIn.pid)
      const { warnings } = await manager.apply(RULES)
      expect(warnings).toEqual([expect.stringContaining('holds none of them')])
      expect(list()).not.toEqual(EVERYTHING)
    })
  },
)

describeWith(
  ['root', 'cgroup-v1', 'devices-v1', 'freezer-v1', 'python', 'userfaultfd'],
  'the first device rules of a process that cannot be frozen',
  () => {
    test('are an error that names it, and nothing has changed', async () => {
      const { pid } = await bench.resist(['fault'])
      await manager.add(pid)
      const error = await manager.apply({ ...RULES, pids: { limit: 70 } }).catch((reason) => reason)
      expect(error).toMatchObject({
        code: 'ERR_VMCG_BUSY',
        value: String(pid),
        report: { operations: expect.anything() },
      })
      expect(list()).toEqual(EVERYTHING)
      expect(bench.read('pids', 'pids.max')).toBe('max')
      expect(frozen()).toBe('THAWED')
      expect(state()).toMatchObject({ standstill: null })
    })
  },
)

function state(): unknown {
  const name = readdirSync(bench.stateDir).find((file) => file.endsWith('.json')) ?? ''
  return JSON.parse(readFileSync(join(bench.stateDir, name), 'utf8'))
}
