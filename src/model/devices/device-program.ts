import { createHash } from 'node:crypto'
import { covers, type DeviceAccessLetter, formatDeviceRule } from '../device-rule'
import {
  and,
  EXIT,
  type Instruction,
  jumpIfAnyBit,
  jumpIfNotEqual,
  loadWord,
  move,
  moveRegister,
  type Register,
  shiftRight,
} from './bpf-instructions'
import type { DeviceAccess, DeviceException } from './device-access'

/** An eBPF program that decides about devices for the processes of a v2 cgroup. */
export interface DeviceProgram {
  /** `vmcg_` and ten hexadecimal digits: the same for the same access, and only for that. */
  readonly name: string
  /** Two 32-bit words for each instruction. */
  readonly instructions: readonly number[]
}

/** What the names of our programs begin with. The kernel keeps 15 characters of a name. */
export const PROGRAM_PREFIX = 'vmcg_'
const HASH_DIGITS = 10

/** Where the parts of a request are kept: `struct bpf_cgroup_dev_ctx`, with its first word taken apart. */
const CONTEXT: Register = 1
const TYPE: Register = 2
const ACCESS: Register = 3
const MAJOR: Register = 4
const MINOR: Register = 5

/** BPF_DEVCG_DEV_* and BPF_DEVCG_ACC_* of linux/bpf.h. */
const TYPE_NUMBERS = { b: 1, c: 2 } as const
const ACCESS_BITS = { m: 1, r: 2, w: 4 } as const

/** `access_type` is `access << 16 | type`. */
const TAKE_APART: readonly Instruction[] = [
  loadWord(TYPE, CONTEXT, 0),
  moveRegister(ACCESS, TYPE),
  shiftRight(ACCESS, 16),
  and(TYPE, 0xffff),
  loadWord(MAJOR, CONTEXT, 4),
  loadWord(MINOR, CONTEXT, 8),
]

const ALLOW: readonly Instruction[] = [move(0, 1), EXIT]
const DENY: readonly Instruction[] = [move(0, 0), EXIT]

/**
 * The program that decides as a v1 device cgroup with this access does: a request is granted when one exception covers
 * it, devices and letters alike; two that cover it only together do not. Pure: the same access, written in whatever
 * order and with whatever an exception says again that a wider one says already, gives the same program.
 *
 * Source: kernel, security/device_cgroup.c, match_exception; include/uapi/linux/bpf.h, bpf_cgroup_dev_ctx.
 */
export function deviceProgram(access: DeviceAccess): DeviceProgram {
  const code =
    access.byDefault === 'allow'
      ? ALLOW
      : [...TAKE_APART, ...essential(access.exceptions).flatMap(grant), ...DENY]
  const instructions = code.flat()
  return { name: nameOf(instructions), instructions }
}

/** Without those that a wider one covers, in an order that does not depend on the rules'. */
function essential(exceptions: readonly DeviceException[]): readonly DeviceException[] {
  return exceptions
    .filter((each) => !exceptions.some((other) => other !== each && covers(other, each)))
    .map((exception) => ({ exception, text: formatDeviceRule(exception) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ exception }) => exception)
}

type Check = (skip: number) => Instruction

/** Grants what the exception covers; everything else goes on behind it. */
function grant({ type, major, minor, access }: DeviceException): readonly Instruction[] {
  const checks: readonly Check[] = [
    (skip) => jumpIfNotEqual(TYPE, TYPE_NUMBERS[type], skip),
    ...(major === undefined ? [] : [(skip: number) => jumpIfNotEqual(MAJOR, major, skip)]),
    ...(minor === undefined ? [] : [(skip: number) => jumpIfNotEqual(MINOR, minor, skip)]),
    (skip) => jumpIfAnyBit(ACCESS, ~bits(access), skip),
  ]
  const behind = (index: number) => checks.length - 1 - index + ALLOW.length
  return [...checks.map((check, index) => check(behind(index))), ...ALLOW]
}

function bits(access: readonly DeviceAccessLetter[]): number {
  return access.reduce((all, letter) => all | ACCESS_BITS[letter], 0)
}

/** Of the instructions rather than the rules: a later version that makes other ones of the same rules loads them. */
function nameOf(instructions: readonly number[]): string {
  const bytes = Buffer.alloc(4 * instructions.length)
  instructions.forEach((word, index) => {
    bytes.writeInt32LE(word, 4 * index)
  })
  return PROGRAM_PREFIX + createHash('sha256').update(bytes).digest('hex').slice(0, HASH_DIGITS)
}
