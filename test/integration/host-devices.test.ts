import { execFileSync } from 'node:child_process'
import {
  existsSync,
  constants as fileTypes,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { native } from '../../src/engine/native'
import { deviceAt, hypervisorDevices } from '../../src/host/devices'
import { describeWhere } from '../support/require'

/** The program is not on every user's path. */
const DMSETUP = '/usr/sbin/dmsetup'

const USUAL = ['/dev/kvm', '/dev/vhost-net', '/dev/vhost-vsock', '/dev/vfio/vfio']

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcg-test-devices-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('the rule for a path', () => {
  it('has the numbers of the device', () => {
    expect(deviceAt('/dev/null')).toEqual({ allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' })
    expect(deviceAt('/dev/zero', 'r')).toEqual({ allow: true, type: 'c', major: 1, minor: 5, access: 'r' })
  })

  it('is that of the device which a link leads to', () => {
    symlinkSync('/dev/full', join(folder, 'link'))
    expect(deviceAt(join(folder, 'link'))).toMatchObject({ type: 'c', major: 1, minor: 7 })
  })

  it('is refused for what is no device, saying what it is', async () => {
    writeFileSync(join(folder, 'file'), '')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve))
    const refused = (path: string, what: string) =>
      expect(() => deviceAt(path)).toThrow(
        expect.objectContaining({
          code: 'ERR_VMCG_INVALID_ARGUMENT',
          message: `${JSON.stringify(path)} is ${what}, no device`,
          path,
        }),
      )
    refused(folder, 'a directory')
    refused(join(folder, 'file'), 'a regular file')
    refused(join(folder, 'socket'), 'a socket')
    await new Promise((resolve) => server.close(resolve))
  })

  it('is refused where there is nothing, with the path', () => {
    const path = join(folder, 'missing')
    expect(() => deviceAt(path)).toThrow(
      expect.objectContaining({ code: 'ENOENT', errno: -constants.errno.ENOENT, syscall: 'stat', path }),
    )
  })

  it.each(['', 'dev/null', './null', '/dev/null\0', '/dev/\0null'])('is refused for the path %j', (path) => {
    expect(() => deviceAt(path)).toThrow(expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }))
  })

  it.each(['', 'rx', 'rr'])('is refused with the access %j', (access) => {
    expect(() => deviceAt('/dev/null', access)).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT', value: access }),
    )
  })
})

describe('the hypervisor’s devices', () => {
  it('are the usual ones that this host has; of the others there is one warning each', () => {
    const warned: object[] = []
    const devices = hypervisorDevices({ logger: { warn: (fields) => warned.push(fields) } })
    const here = USUAL.filter((path) => existsSync(path))
    expect(devices).toEqual(here.map((path) => deviceAt(path)))
    expect(warned).toEqual(
      USUAL.filter((path) => !here.includes(path)).map((path) => ({ path, code: 'ENOENT' })),
    )
  })

  it('go on with the paths that are asked for', () => {
    const devices = hypervisorDevices({ paths: ['/dev/null', '/dev/full'], logger: { warn() {} } })
    expect(devices.slice(-2)).toEqual([deviceAt('/dev/null'), deviceAt('/dev/full')])
  })

  it('are refused with a path that is asked for and not there', () => {
    const path = join(folder, 'missing')
    expect(() => hypervisorDevices({ paths: [path], logger: { warn() {} } })).toThrow(
      expect.objectContaining({ code: 'ENOENT', path }),
    )
  })

  it('have the device-mapper’s number from the kernel, and only when asked', () => {
    mkdirSync(join(folder, 'proc'))
    const asked = { deviceMapper: true, procRoot: join(folder, 'proc'), logger: { warn() {} } }
    writeFileSync(join(folder, 'proc', 'devices'), 'Block devices:\n253 zram\n251 device-mapper\n')
    expect(hypervisorDevices(asked)[0]).toEqual({ allow: true, type: 'b', major: 251, access: 'rwm' })
    expect(hypervisorDevices({ ...asked, deviceMapper: false })).toEqual(hypervisorDevices(asked).slice(1))
    writeFileSync(join(folder, 'proc', 'devices'), 'Block devices:\n253 zram\n')
    expect(() => hypervisorDevices(asked)).toThrow(expect.objectContaining({ code: 'ERR_VMCG_UNSUPPORTED' }))
  })
})

const hasDeviceMapper = / device-mapper$/m.test(readFileSync('/proc/devices', 'utf8'))
describeWhere(hasDeviceMapper && existsSync(DMSETUP), 'device-mapper', 'the volumes of device-mapper', () => {
  const volume = `vmcg-test-${process.pid}`
  const dmsetup = (...args: string[]) =>
    execFileSync(DMSETUP, ['--noudevsync', ...args, volume], { encoding: 'utf8' })

  afterEach(() => void dmsetup('remove'))

  it('have the number in the rule that they have in the kernel', () => {
    dmsetup('create', '--notable')
    const major = Number(dmsetup('info', '--columns', '--noheadings', '--options', 'major'))
    const [rule] = hypervisorDevices({ deviceMapper: true, logger: { warn() {} } })
    expect(rule).toEqual({ allow: true, type: 'b', major, access: 'rwm' })
  })
})

describe('statDevices of the addon', () => {
  it('fills four words per path', () => {
    const words = new Int32Array(12)
    expect(native().statDevices('/dev/null\0/missing\0/', words)).toBe(0)
    const { ENOENT } = constants.errno
    const { S_IFCHR, S_IFDIR } = fileTypes
    expect([...words]).toEqual([0, S_IFCHR, 1, 3, ENOENT, 0, 0, 0, 0, S_IFDIR, 0, 0])
  })

  it.each([0, 3, 5, 8])('answers −EINVAL for one path and %d words, and leaves them alone', (length) => {
    const words = new Int32Array(length).fill(-1)
    expect(native().statDevices('/dev/null', words)).toBe(-constants.errno.EINVAL)
    expect([...words]).toEqual(Array(length).fill(-1))
  })
})
