import type { OpResult } from '../../src/engine/batch'
import { encodeProgram, programResult } from '../../src/engine/device-program'
import { OpCode, PROGRAM_RECORD_BYTES } from '../../src/engine/native'
import { resultPrograms } from '../../src/engine/program-records'
import { deviceProgram } from '../../src/model/devices/device-program'
import type { SetDeviceProgram } from '../../src/plan/operations'
import { accessOf } from '../support/device-rules'

const access = accessOf('c 1:3 rw')
const { name, instructions } = deviceProgram(access)
const CGROUP = '/sys/fs/cgroup/kata/vm1'

function operation(changes: Partial<SetDeviceProgram> = {}): SetDeviceProgram {
  return {
    kind: 'device-program',
    hierarchy: 'unified',
    path: '/kata/vm1',
    program: { name, access, beside: [] },
    replaces: null,
    ...changes,
  }
}

const OLD = { id: 7, name: 'vmcg_old' }

function result(errno: number, bytes: Uint8Array | string): OpResult {
  return { errno, done: 0, microseconds: 1, idErrnos: new Int32Array(0), bytes: Buffer.from(bytes) }
}

/** As native/core/device_programs.cc lays it out. */
function record(id: number, errno: number, program: string): Buffer {
  const bytes = Buffer.alloc(PROGRAM_RECORD_BYTES)
  bytes.writeUInt32LE(id, 0)
  bytes.writeUInt32LE(2, 4)
  bytes.writeInt32LE(errno, 8)
  bytes.writeDoubleLE(1500, 16)
  bytes.write('0123456789abcdef', 24, 'hex')
  bytes.write(program, 32)
  return bytes
}

const refused = (errno: number, bytes: string, changes: Partial<SetDeviceProgram> = {}) =>
  programResult(operation(changes), result(errno, bytes), 'vm1', CGROUP).cause

describe('a device program in a batch', () => {
  it('is its instructions, its name and the id of what it takes the place of', () => {
    expect(encodeProgram(operation())).toEqual({
      code: OpCode.SetDeviceProgram,
      arg: 0,
      value: name,
      ids: instructions,
    })
    expect(encodeProgram(operation({ replaces: OLD })).arg).toBe(7)
  })

  it('is the id alone when it is taken off', () => {
    expect(encodeProgram(operation({ program: null, replaces: OLD }))).toEqual({
      code: OpCode.RemoveDeviceProgram,
      arg: 7,
    })
  })

  it('answers with the id that the kernel gave to it', () => {
    expect(programResult(operation(), result(0, record(9, 0, name)), 'vm1', CGROUP)).toEqual({ programId: 9 })
    const removal = operation({ program: null, replaces: OLD })
    expect(programResult(removal, result(0, ''), 'vm1', CGROUP)).toEqual({})
    expect(programResult(operation(), result(-1, ''), 'vm1', CGROUP)).toEqual({})
  })

  it('reads every record of a list', () => {
    const list = result(0, Buffer.concat([record(3, 0, 'somebody'), record(4, 1, '')]))
    expect(resultPrograms(list)).toEqual([
      { id: 3, attachFlags: 2, errno: 0, loadTimeUs: 1500, tag: '0123456789abcdef', name: 'somebody' },
      expect.objectContaining({ id: 4, errno: 1, name: '' }),
    ])
  })
})

describe('a device program that the kernel refuses', () => {
  it('tells what the verifier says of it', () => {
    const words = '0: (95) exit\nR0 !read_ok\nprocessed 1 insns (limit 1000000)\n'
    expect(refused(13, `bpf(BPF_PROG_LOAD)\0${words}`)).toMatchObject({
      code: 'EACCES',
      errno: -13,
      syscall: 'bpf(BPF_PROG_LOAD)',
      path: CGROUP,
      value: name,
      message: expect.stringContaining('the verifier says: 0: (95) exit; R0 !read_ok'),
    })
  })

  it('names what it needs', () => {
    expect(refused(1, 'bpf(BPF_PROG_LOAD)')?.message).toContain('CAP_BPF and CAP_NET_ADMIN')
    expect(refused(1, 'bpf(BPF_PROG_GET_FD_BY_ID)', { replaces: OLD })?.message).toContain('CAP_SYS_ADMIN')
  })

  it.each([
    [7, 'bpf(BPF_PROG_ATTACH)', 'no more than 64 programs'],
    [7, 'bpf(BPF_PROG_LOAD)', 'so many rules'],
    [22, 'bpf(BPF_PROG_ATTACH)', 'no device programs'],
    [38, 'bpf(BPF_PROG_LOAD)', 'no device programs'],
  ])('gives the reason for errno %i', (errno, syscall, reason) => {
    expect(refused(errno, syscall)).toMatchObject({
      syscall,
      message: expect.stringContaining(reason),
      hint: expect.any(String),
    })
  })

  it('tells that what it should replace is there no more', () => {
    expect(refused(2, 'bpf(BPF_PROG_ATTACH)', { replaces: OLD })?.message).toContain('id 7 is there no more')
    expect(refused(2, 'openat2')?.message).toBe(
      `vm1: cannot attach ${name} to ${CGROUP}: no such file or directory`,
    )
  })

  it('is named when it cannot be taken off', () => {
    const cause = refused(1, 'bpf(BPF_PROG_DETACH)', { program: null, replaces: OLD })
    expect(cause?.message).toContain(`cannot take vmcg_old off ${CGROUP}`)
  })
})
