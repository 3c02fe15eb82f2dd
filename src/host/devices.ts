import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { errnoName, errnoText, VmcgError } from '../errors'
import { defaultLogger, type Logger } from '../log'
import {
  badArgument,
  checkList,
  checkObject,
  checkOptionalBoolean,
  checkOptionalText,
  hasMethods,
} from '../model/argument'
import { checkedDeviceRule } from '../model/devices/checked-rule'
import type { LinuxDeviceCgroup } from '../model/generated/oci'
import { quote, short } from '../model/quote'
import { type FoundFile, lookUpDevices } from './device-lookup'
import { blockDriverMajor } from './proc-devices'

/** What a VMM opens for CPUs, network, sockets and passed-through devices. Source: Kata Containers, sandboxDevices. */
const USUAL_PATHS: readonly string[] = ['/dev/kvm', '/dev/vhost-net', '/dev/vhost-vsock', '/dev/vfio/vfio']

const EVERY_ACCESS = 'rwm'

export interface HypervisorDevicesOptions {
  /** Also allow every device-mapper volume of the host, those of other tenants included. Default: false. */
  readonly deviceMapper?: boolean | undefined
  /** Absolute paths of further devices. */
  readonly paths?: readonly string[] | undefined
  /** Is told about the usual devices that this host lacks. Default: see `VMCG_LOG`. */
  readonly logger?: Pick<Logger, 'warn'> | undefined
  /** Where proc is mounted. Default: `/proc`. */
  readonly procRoot?: string | undefined
}

/**
 * Rules for what a VMM itself opens, beside what its containers ask for, each with all access: `/dev/kvm`,
 * `/dev/vhost-net`, `/dev/vhost-vsock`, `/dev/vfio/vfio`, and `paths`. Their numbers are looked up: they differ from
 * host to host. So does that of device-mapper, which is taken from /proc/devices.
 *
 * A usual device that cannot be looked up is left out with a warning: few hosts have all of them, and the modules of
 * vhost are loaded when they are needed.
 *
 * @throws as {@link deviceAt} for each of `paths`, and for a usual path that is no device; `ERR_VMCG_UNSUPPORTED` for
 *   `deviceMapper` where the kernel has none; `ERR_VMCG_INVALID_ARGUMENT` for options of the wrong type.
 */
export function hypervisorDevices(options: HypervisorDevicesOptions = {}): LinuxDeviceCgroup[] {
  checkObject('options', options)
  checkOptionalText('procRoot', options.procRoot)
  checkOptionalBoolean('deviceMapper', options.deviceMapper)
  if (options.paths !== undefined) checkList('paths', options.paths)
  if (options.logger !== undefined && !hasMethods(options.logger, ['warn'])) {
    throw badArgument('logger', 'an object with the method warn', options.logger)
  }
  const { deviceMapper = false, paths = [], logger = defaultLogger(), procRoot = '/proc' } = options
  for (const path of paths) checkPath(path)
  const [usual, asked] = [lookUpDevices(USUAL_PATHS), lookUpDevices(paths)]
  for (const { path, errno } of usual.filter(isMissing)) {
    const fields = { path, code: errnoName(errno) }
    logger.warn(fields, `the VMM will not be allowed to open ${path}: ${errnoText(errno)}`)
  }
  return [
    ...(deviceMapper ? [deviceMapperRule(procRoot)] : []),
    ...[...usual.filter((found) => !isMissing(found)), ...asked].map((found) => ruleFor(found, EVERY_ACCESS)),
  ]
}

/**
 * A rule that allows the device of a path. Symbolic links are followed, as the kernel does when it is opened: for
 * `/dev/disk/by-id/…` it is the rule of the disk that the link leads to now.
 *
 * @param path Absolute.
 * @param access Letters of `r` read, `w` write, `m` make a node. Default: all three.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a path that is no device, saying what it is, for one that is not absolute or
 *   holds NUL, and for other letters; the kernel's code, such as `ENOENT`, with `path`, when it cannot be looked up.
 */
export function deviceAt(path: string, access: string = EVERY_ACCESS): LinuxDeviceCgroup {
  checkPath(path)
  checkedDeviceRule({ allow: true, access }, `device ${quote(path)}`)
  const [found] = lookUpDevices([path])
  if (found === undefined) throw new RangeError(`the look-up of ${path} has no result`)
  return ruleFor(found, access)
}

function checkPath(path: string): void {
  if (typeof path === 'string' && isAbsolute(path) && !path.includes('\0')) return
  throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(path)} is no absolute path of a device`, {
    value: short(path),
  })
}

function isMissing({ errno }: FoundFile): boolean {
  return errno !== 0
}

function ruleFor(
  { path, errno, what, deviceType, major, minor }: FoundFile,
  access: string,
): LinuxDeviceCgroup {
  if (errno !== 0) {
    throw new VmcgError(errnoName(errno), `cannot look up the device ${quote(path)}: ${errnoText(errno)}`, {
      errno: -errno,
      syscall: 'stat',
      path,
    })
  }
  if (deviceType === undefined) {
    throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(path)} is ${what}, no device`, { path })
  }
  return { allow: true, type: deviceType, major, minor, access }
}

function deviceMapperRule(procRoot: string): LinuxDeviceCgroup {
  const path = join(procRoot, 'devices')
  const major = blockDriverMajor(readFileSync(path, 'utf8'), 'device-mapper')
  if (major === undefined) {
    throw new VmcgError('ERR_VMCG_UNSUPPORTED', `this kernel has no device-mapper (${path})`, {
      path,
      hint: 'modprobe dm_mod',
    })
  }
  return { allow: true, type: 'b', major, access: EVERY_ACCESS }
}
