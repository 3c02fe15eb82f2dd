import { createHash } from 'node:crypto'
import { covers, type DeviceAccessLetter, formatDeviceRule } from '../device-rule'
import {
  and,
  EXIT,
  type Instruction,
  jump,
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
const PROGRAM_PREFIX = 'vmcg_'
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
 * It goes by the type, then by the major and by the minor number. One list of checks would be correct as well, but the
 * verifier follows every way through it, and gives up (E2BIG) at two thousand exceptions.
 *
 * @throws `ERR_VMCG_UNSUPPORTED` for so many exceptions that a jump cannot reach over them: some thousand of one major
 *   number.
 *
 * Source: kernel, security/device_cgroup.c, match_exception; include/uapi/linux/bpf.h, bpf_cgroup_dev_ctx.
 */
export function deviceProgram(access: DeviceAccess): DeviceProgram {
  const code =
    access.byDefault === 'allow' ? ALLOW : [...TAKE_APART, ...byType(essential(access.exceptions)), ...DENY]
  const instructions = code.flat()
  return { name: nameOf(instructions), instructions }
}

/** Without those that a wider one covers, in an order that does not depend on the rules'. */
function essential(exceptions: readonly DeviceException[]): readonly DeviceException[] {
  const wide = exceptions.filter(({ major, minor }) => major === undefined || minor === undefined)
  return exceptions
    .filter((each) => !wide.some((other) => other !== each && covers(other, each)))
    .map((exception) => ({ exception, text: formatDeviceRule(exception) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ exception }) => exception)
}

type Code = readonly Instruction[]

function byType(exceptions: readonly DeviceException[]): Code {
  return eachCase(TYPE, exceptions, ({ type }) => TYPE_NUMBERS[type], byMajor)
}

/** The exceptions of one major number, then those of all. */
function byMajor(exceptions: readonly DeviceException[]): Code {
  const ofAll = exceptions.filter(({ major }) => major === undefined)
  return [...eachCase(MAJOR, exceptions, ({ major }) => major, byMinor), ...byMinor(ofAll)]
}

function byMinor(exceptions: readonly DeviceException[]): Code {
  const ofAll = exceptions.filter(({ minor }) => minor === undefined)
  return [
    ...eachCase(
      MINOR,
      exceptions,
      ({ minor }) => minor,
      (same) => same.flatMap(grant),
    ),
    ...ofAll.flatMap(grant),
  ]
}

/** What is to be done for each number that a register can have; then on with what stands behind all of it. */
function eachCase(
  register: Register,
  exceptions: readonly DeviceException[],
  numberOf: (exception: DeviceException) => number | undefined,
  codeOf: (same: readonly DeviceException[]) => Code,
): Code {
  const groups = new Map<number, DeviceException[]>()
  for (const exception of exceptions) {
    const number = numberOf(exception)
    if (number === undefined) continue
    const group = groups.get(number)
    if (group === undefined) groups.set(number, [exception])
    else group.push(exception)
  }
  const cases = [...groups].map(([number, group]) => ({ number, code: codeOf(group) }))
  let behind = cases.reduce((length, { code }) => length + code.length + 2, 0)
  return cases.flatMap(({ number, code }) => {
    behind -= code.length + 2
    return [jumpIfNotEqual(register, number, code.length + 1), ...code, jump(behind)]
  })
}

/** Grants what has no other letters than these; everything else goes on behind it. */
function grant({ access }: DeviceException): Code {
  return [jumpIfAnyBit(ACCESS, ~bits(access), ALLOW.length), ...ALLOW]
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
