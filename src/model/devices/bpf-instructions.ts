import { VmcgError } from '../../errors'

/**
 * The few eBPF instructions that a device program is made of, each as the two 32-bit words of a `struct bpf_insn`:
 * `code | destination << 8 | source << 12 | offset << 16`, and the number that goes with it.
 *
 * Comparisons are of the lower 32 bits (class JMP32, since Linux 5.1): in the others the number would be taken for a
 * signed one and widened, so that no register equals one of 2^31 or more.
 *
 * Source: kernel, Documentation/bpf/standardization/instruction-set.rst.
 */
export type Instruction = readonly [code: number, number: number]

/** R0 is the answer, R1 points to the request when the program begins. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5

/** Opcodes: the operation, the source (a number or a register) and the class in one byte. */
const Code = {
  LoadWord: 0x61,
  And: 0x54,
  ShiftRight: 0x74,
  Move: 0xb4,
  MoveRegister: 0xbc,
  Jump: 0x05,
  JumpIfAnyBit: 0x46,
  JumpIfNotEqual: 0x56,
  Exit: 0x95,
} as const

interface Operands {
  readonly to?: Register
  readonly from?: Register
  /** In bytes for a load, in instructions behind the next for a jump. */
  readonly offset?: number
  readonly number?: number
}

/** Offsets are signed numbers of 16 bits. */
const LARGEST_OFFSET = 32_767

/** @throws `ERR_VMCG_UNSUPPORTED` for a jump that goes too far. */
function instruction(code: number, operands: Operands): Instruction {
  const { to = 0, from = 0, offset = 0, number = 0 } = operands
  if (offset > LARGEST_OFFSET) {
    throw new VmcgError('ERR_VMCG_UNSUPPORTED', 'there are too many device rules for one eBPF program', {
      hint: 'allow devices by a wildcard instead of one by one, such as c 136:*',
    })
  }
  return [code | (to << 8) | (from << 12) | (offset << 16), number | 0]
}

/** Loads a 32-bit word from `offset` bytes behind where a register points. */
export function loadWord(to: Register, from: Register, offset: number): Instruction {
  return instruction(Code.LoadWord, { to, from, offset })
}

export function moveRegister(to: Register, from: Register): Instruction {
  return instruction(Code.MoveRegister, { to, from })
}

export function move(to: Register, number: number): Instruction {
  return instruction(Code.Move, { to, number })
}

export function and(to: Register, number: number): Instruction {
  return instruction(Code.And, { to, number })
}

export function shiftRight(to: Register, number: number): Instruction {
  return instruction(Code.ShiftRight, { to, number })
}

/** @param offset how many instructions are left out, here and below. */
export function jump(offset: number): Instruction {
  return instruction(Code.Jump, { offset })
}

export function jumpIfNotEqual(to: Register, number: number, offset: number): Instruction {
  return instruction(Code.JumpIfNotEqual, { to, number, offset })
}

/** Jumps when the register has any of the bits of the number. */
export function jumpIfAnyBit(to: Register, number: number, offset: number): Instruction {
  return instruction(Code.JumpIfAnyBit, { to, number, offset })
}

export const EXIT: Instruction = instruction(Code.Exit, {})
