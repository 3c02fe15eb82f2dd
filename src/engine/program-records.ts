import type { OpResult } from './batch'
import { PROGRAM_RECORD_BYTES } from './native'

/** One program of a SetDeviceProgram or ListDevicePrograms result. */
export interface ProgramRecord {
  readonly id: number
  /** How programs are attached to the cgroup: BPF_F_* of linux/bpf.h. */
  readonly attachFlags: number
  /** 0, or why nothing else is known: EPERM without CAP_SYS_ADMIN, ENOENT for one that has gone meanwhile. */
  readonly errno: number
  /** Microseconds since boot. */
  readonly loadTimeUs: number
  /** The kernel's hash of the instructions, in hexadecimal digits. */
  readonly tag: string
  readonly name: string
}

const TAG_AT = 24
const NAME_AT = 32

export function resultPrograms({ bytes }: OpResult): readonly ProgramRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(bytes.byteLength / PROGRAM_RECORD_BYTES) }, (_, index) => {
    const at = index * PROGRAM_RECORD_BYTES
    const name = bytes.subarray(at + NAME_AT, at + PROGRAM_RECORD_BYTES)
    const end = name.indexOf(0)
    return {
      id: view.getUint32(at, true),
      attachFlags: view.getUint32(at + 4, true),
      errno: view.getInt32(at + 8, true),
      loadTimeUs: view.getFloat64(at + 16, true),
      tag: Buffer.from(bytes.subarray(at + TAG_AT, at + NAME_AT)).toString('hex'),
      name: new TextDecoder().decode(end < 0 ? name : name.subarray(0, end)),
    }
  })
}

/** What failed, and what the verifier said of a program that it refused; the empty string for everything else. */
export interface ProgramRefusal {
  /** Such as `'bpf(BPF_PROG_LOAD)'`. */
  readonly syscall: string
  readonly verifier: string
}

export function resultRefusal({ bytes }: OpResult): ProgramRefusal {
  const text = new TextDecoder().decode(bytes)
  const end = text.indexOf('\0')
  return end < 0
    ? { syscall: text, verifier: '' }
    : { syscall: text.slice(0, end), verifier: text.slice(end + 1) }
}
