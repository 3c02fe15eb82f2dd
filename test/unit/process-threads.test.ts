import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostTids, viewProcess } from '../../src/hypervisor/process-threads'

const VMM = 500

interface FakeThread {
  readonly comm?: string
  readonly state?: string
  readonly flags?: number
  readonly tgid?: number
  /** The ids of the thread in each pid namespace that it is in, from the outermost. */
  readonly nsPids?: readonly number[]
}

let proc = ''

beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'vmcg-test-proc-'))
})

afterEach(() => {
  rmSync(proc, { recursive: true, force: true })
})

function writeThread(folder: string, tid: number, thread: FakeThread = {}): void {
  const { comm = 'qemu-system-x86', state = 'S', flags = 0x400000, tgid = VMM, nsPids = [tid] } = thread
  mkdirSync(folder, { recursive: true })
  // Fields 4 to 22 of proc_pid_stat(5); this thread started 4711 ticks after boot.
  writeFileSync(
    join(folder, 'stat'),
    `${tid} (${comm}) ${state} 1 1 1 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 6 0 4711 0 0\n`,
  )
  writeFileSync(
    join(folder, 'status'),
    `Name:\t${comm}\nState:\t${state}\nTgid:\t${tgid}\nNgid:\t0\nPid:\t${tid}\nNSpid:\t${nsPids.join('\t')}\n`,
  )
}

function writeProcess(thread?: FakeThread): void {
  writeThread(join(proc, String(VMM)), VMM, thread)
}

function writeTask(tid: number, thread?: FakeThread): void {
  writeThread(join(proc, String(VMM), 'task', String(tid)), tid, thread)
}

describe('looking at a process', () => {
  test('tells when it started, and that it lives in our pid namespace', () => {
    writeProcess()
    expect(viewProcess(VMM, proc)).toEqual({ startTime: 4711, tgid: VMM, isNested: false })
  })

  test('is not misled by a name with blanks and parentheses', () => {
    writeProcess({ comm: 'a) Z 0 (b' })
    expect(viewProcess(VMM, proc)).toMatchObject({ startTime: 4711 })
  })

  test('tells a pid namespace of its own by the further columns of NSpid', () => {
    writeProcess({ nsPids: [VMM, 1] })
    expect(viewProcess(VMM, proc)).toMatchObject({ isNested: true })
  })

  test('tells whose thread an id is that names no process', () => {
    writeProcess({ tgid: 499 })
    expect(viewProcess(VMM, proc)).toMatchObject({ tgid: 499 })
  })

  test.each([
    ['has not been waited for', { state: 'Z' }],
    ['is being removed', { state: 'X' }],
    ['is on its way out', { state: 'R', flags: 0x400004 }],
  ])('takes one that %s for gone', (_, thread) => {
    writeProcess(thread)
    expect(viewProcess(VMM, proc)).toBeUndefined()
  })

  test('takes one that is not there for gone', () => {
    expect(viewProcess(VMM, proc)).toBeUndefined()
    expect(hostTids(VMM, new Set([VMM]), false, proc)).toEqual(new Map())
  })

  test('fails by the name that the kernel gives', () => {
    writeFileSync(join(proc, String(VMM)), 'no folder')
    expect(() => viewProcess(VMM, proc)).toThrow(
      expect.objectContaining({ name: 'VmcgError', code: 'ENOTDIR' }),
    )
  })

  test('works on the real /proc', async () => {
    expect(viewProcess(process.pid)).toMatchObject({ tgid: process.pid })
    const child = spawn('true')
    await once(child, 'exit')
    expect(viewProcess(child.pid ?? 0)).toBeUndefined()
  })
})

describe('the host tids of threads', () => {
  test('are the reported ones in our own pid namespace; what is not there is missing', () => {
    writeTask(VMM)
    writeTask(503)
    expect(hostTids(VMM, new Set([503, 504]), false, proc)).toEqual(new Map([[503, 503]]))
  })

  test('come from the last column of NSpid where the process has a pid namespace of its own', () => {
    writeTask(VMM, { nsPids: [VMM, 40, 1] })
    writeTask(503, { nsPids: [503, 43, 4] })
    writeTask(504, { nsPids: [504, 44, 5] })
    expect(hostTids(VMM, new Set([4, 5, 503]), true, proc)).toEqual(
      new Map([
        [4, 503],
        [5, 504],
      ]),
    )
  })

  test('leave out a thread that vanishes while they are looked up', () => {
    mkdirSync(join(proc, String(VMM), 'task', '503'), { recursive: true })
    writeTask(504, { nsPids: [504, 5] })
    expect(hostTids(VMM, new Set([4, 5]), true, proc)).toEqual(new Map([[5, 504]]))
  })
})
