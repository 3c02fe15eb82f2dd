import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { detectHost } from '../../src/host/detect'
import { deviceRule } from '../../src/model/device-rule'
import { afterDeviceWrite } from '../../src/model/devices/after-device-write'
import type { DeviceAccess } from '../../src/model/devices/device-access'
import { deviceRules } from '../../src/model/devices/device-rules'
import { deviceState } from '../../src/model/devices/device-state'
import { deviceWrites } from '../../src/model/devices/device-writes'
import { DeviceCgroup, Resident } from '../support/device-cgroup'
import { accessOf, anyAccess, linesOf, ociRule, rules } from '../support/device-rules'
import { forAll } from '../support/for-all'
import { describeWith } from '../support/require'

const ALL = accessOf('a *:* rwm')

describeWith(['root', 'devices-v1'], 'the device controller of cgroup v1', () => {
  const hierarchy = detectHost().controller('devices')?.mountPoint ?? ''
  let cgroup: DeviceCgroup

  beforeEach(() => {
    cgroup = new DeviceCgroup(hierarchy, `vmcg-test-devices-${process.pid}`)
  })
  afterEach(() => cgroup.remove())

  /** Writes what is missing to the access, and says how much that was. */
  function apply(wanted: DeviceAccess): number {
    const writes = deviceWrites(cgroup.list(), wanted)
    for (const write of writes) cgroup.write(write)
    return writes.length
  }

  const applyRules = (...texts: string[]) => apply(deviceState(rules(...texts)))

  describe('keeps what is written, and has nothing left to write:', () => {
    it.each<[string, string[]]>([
      ['nothing', ['deny a *:* rwm']],
      ['one device', ['allow c 1:3 rwm']],
      ['letters in parts', ['allow c 1:3 r', 'allow c 1:3 w', 'allow b 8:0 m']],
      ['wildcards', ['allow c 136:* rw', 'allow c *:3 r', 'allow b *:* m']],
      ['rules that cover each other', ['allow c *:* m', 'allow c 10:232 rwm', 'allow c 10:* r']],
      ['both types', ['allow a 7:1 rw']],
      ['the greatest numbers', ['allow b 4294967294:4294967294 r']],
      ['a deny after an allow', ['allow c 1:3 rwm', 'deny c 1:3 w']],
    ])('%s', (_, texts) => {
      const wanted = deviceState(rules(...texts))
      apply(wanted)
      expect(linesOf(cgroup.list())).toEqual(linesOf(wanted))
      expect(apply(wanted)).toBe(0)
    })
  })

  it('takes Docker’s rules and the hypervisor’s together', () => {
    const containers = ['deny a *:* rwm', 'allow c 5:1 rwm', 'deny c 10:229 rwm'].map(ociRule)
    const wanted = deviceState(deviceRules({ containers, hypervisor: [ociRule('allow c 10:232 rwm')] }))
    apply(wanted)
    expect(linesOf(cgroup.list())).toEqual(linesOf(wanted))
    expect(linesOf(cgroup.list())).toEqual(expect.arrayContaining(['c *:* m', 'c 5:1 rwm', 'c 10:232 rwm']))
  })

  it('needs no write where everything is wanted and everything is allowed', () => {
    expect(applyRules('allow a *:* rwm')).toBe(0)
  })

  it('changes from one list to another as the model of it says, write by write', () => {
    forAll(fc.array(anyAccess, { minLength: 2, maxLength: 4 }), (path) => {
      cgroup.write({ file: 'devices.allow', value: 'a' })
      let model = ALL
      for (const wanted of path) {
        for (const write of deviceWrites(cgroup.list(), wanted)) {
          cgroup.write(write)
          model = afterDeviceWrite(model, write)
          expect(cgroup.list()).toEqual(model)
        }
        expect(deviceWrites(cgroup.list(), wanted)).toEqual([])
      }
    })
  })

  it('ignores without a word what deviceState refuses: a deny in the middle of a wildcard', () => {
    applyRules('allow c 1:* rw')
    cgroup.write({ file: 'devices.deny', value: 'c 1:3 w' })
    expect(linesOf(cgroup.list())).toEqual(['c 1:* rw'])
  })

  it('hides a deny where everything else is allowed', () => {
    cgroup.write({ file: 'devices.deny', value: 'c 1:3 w' })
    expect(cgroup.list()).toEqual(ALL)
  })

  it('reads 4294967295 as every number, which is why a rule must not have it', () => {
    cgroup.write({ file: 'devices.deny', value: 'a' })
    cgroup.write({ file: 'devices.allow', value: 'c 4294967295:3 r' })
    expect(linesOf(cgroup.list())).toEqual(['c *:3 r'])
    expect(() => deviceRules({ containers: [ociRule('allow c 4294967295:3 r')], hypervisor: [] })).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_OUT_OF_RANGE' }),
    )
  })

  it('reads any rule that begins with a as one for everything, which is why it is split', () => {
    applyRules('deny a *:* rwm')
    cgroup.write({ file: 'devices.allow', value: 'a 1:3 r' })
    expect(cgroup.list()).toEqual(ALL)
    expect(linesOf(deviceState([deviceRule({ allow: true, major: 1, minor: 3, access: 'r' })]))).toEqual([
      'b 1:3 r',
      'c 1:3 r',
    ])
  })

  describe('for a process inside', () => {
    let resident: Resident
    const enter = async () => {
      resident = await Resident.in(cgroup)
    }
    afterEach(() => resident.leave())

    it('opens what is allowed and nothing else', async () => {
      applyRules('allow c 1:5 r', 'allow c 1:7 rw')
      await enter()
      expect(await resident.tries('read', '/dev/zero')).toBe('ok')
      expect(await resident.tries('write', '/dev/zero')).toBe('EPERM')
      expect(await resident.tries('both', '/dev/full')).toBe('ok')
      expect(await resident.tries('read', '/dev/null')).toBe('EPERM')
    })

    it('refuses new opens after a removal, and leaves alone what is open', async () => {
      applyRules('allow c 1:5 rwm', 'allow c 1:7 r', 'allow c *:* m')
      await enter()
      expect(await resident.tries('keep', '/dev/zero')).toBe('ok')
      applyRules('allow c 1:7 r', 'allow c *:* m')
      expect(await resident.tries('both', '/dev/zero')).toBe('EPERM')
      expect(await resident.tries('read', '/dev/zero')).toBe('EPERM')
      expect(await resident.tries('use')).toBe('ok')
      expect(await resident.tries('read', '/dev/full')).toBe('ok')
      applyRules('allow c 1:5 r', 'allow c 1:7 r', 'allow c *:* m')
      expect(await resident.tries('read', '/dev/zero')).toBe('ok')
    })

    it('makes a node only where that is allowed', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-node-'))
      applyRules('allow c 1:5 rw', 'allow c 1:3 rwm')
      await enter()
      expect(await resident.tries('node', join(folder, 'zero'))).toBe('EPERM')
      applyRules('allow c 1:5 rw', 'allow c *:* m')
      expect(await resident.tries('node', join(folder, 'zero'))).toBe('ok')
      rmSync(folder, { recursive: true })
    })

    it('wants both accesses of one rule', async () => {
      applyRules('allow c 1:* r', 'allow c 1:5 w')
      await enter()
      expect(await resident.tries('read', '/dev/zero')).toBe('ok')
      expect(await resident.tries('write', '/dev/zero')).toBe('ok')
      expect(await resident.tries('both', '/dev/zero')).toBe('EPERM')
    })
  })
})
