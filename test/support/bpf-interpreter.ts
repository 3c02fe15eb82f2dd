import type { DeviceRequest } from './device-rules'

/**
 * Runs a device program as the kernel does, written down anew from the instruction set's document; it knows the
 * instructions that ours have, and refuses all others, jumps out of the program and reads outside of the request.
 */
export function runDeviceProgram(instructions: readonly number[], request: DeviceRequest): number {
  const registers = new Uint32Array(11)
  const context = contextOf(request)
  const isSet = new Set([1, 10])
  const read = (register: number): number => {
    if (!isSet.has(register)) throw new Error(`R${register} !read_ok`)
    return registers[register] ?? 0
  }
  const write = (register: number, value: number): void => {
    registers[register] = value
    isSet.add(register)
  }
  for (let at = 0; at < instructions.length / 2; at += 1) {
    const { code, to, from, offset, number } = decode(instructions, at)
    switch (code) {
      case 0x61:
        if (from !== 1) throw new Error(`instruction ${at} reads through R${from}, which is no pointer`)
        write(to, context.getUint32(offset, true))
        break
      case 0x54:
        write(to, read(to) & number)
        break
      case 0x74:
        write(to, read(to) >>> number)
        break
      case 0xb4:
        write(to, number)
        break
      case 0xbc:
        write(to, read(from))
        break
      case 0x05:
        at += offset
        break
      case 0x46:
        if ((read(to) & number) !== 0) at += offset
        break
      case 0x56:
        if (read(to) !== number >>> 0) at += offset
        break
      case 0x95:
        return read(0)
      default:
        throw new Error(`instruction ${at} has the unknown code 0x${code.toString(16)}`)
    }
  }
  throw new Error('the program has no end')
}

function decode(instructions: readonly number[], at: number) {
  const [word = 0, number = 0] = instructions.slice(2 * at, 2 * at + 2)
  return { code: word & 0xff, to: (word >> 8) & 0xf, from: (word >> 12) & 0xf, offset: word >> 16, number }
}

/** `struct bpf_cgroup_dev_ctx` of linux/bpf.h. */
function contextOf({ type, major, minor, access }: DeviceRequest): DataView {
  const types = { b: 1, c: 2 }
  const bits = { m: 1, r: 2, w: 4 }
  const context = new DataView(new ArrayBuffer(12))
  const wanted = access.reduce((all, letter) => all | bits[letter], 0)
  context.setUint32(0, (wanted << 16) | types[type], true)
  context.setUint32(4, major, true)
  context.setUint32(8, minor, true)
  return context
}
