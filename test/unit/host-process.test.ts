import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { readProcessCgroups, readStartTime, startTimeOf } from '../../src/host/process'

let proc: string
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'vmcg-test-proc-'))
})
afterEach(() => {
  rmSync(proc, { recursive: true })
})

const STAT_AFTER_NAME = 'S 1 1 1 0 -1 4194560 0 0 0 0 5 6 0 0 20 0 3 0 4711 1000 200'

it.each(['qemu', 'a b', 'a) S 1 (b', ') ', ''])('finds the start time behind the name %j', (name) => {
  expect(startTimeOf(`42 (${name}) ${STAT_AFTER_NAME}\n`)).toBe(4711)
})

it('has no start time for a text that ends early', () => {
  expect(startTimeOf('42 (qemu) S 1\n')).toBeUndefined()
})

it('reads a process’s cgroups and start time', () => {
  mkdirSync(join(proc, '42'), { recursive: true })
  writeFileSync(join(proc, '42', 'cgroup'), '0::/a\n')
  writeFileSync(join(proc, '42', 'stat'), `42 (qemu) ${STAT_AFTER_NAME}\n`)
  expect(readProcessCgroups(42, proc)).toEqual([{ hierarchyId: 0, controllers: [], path: '/a' }])
  expect(readStartTime(42, proc)).toBe(4711)
})

it('knows nothing of a process that is gone', () => {
  expect(readProcessCgroups(42, proc)).toBeUndefined()
  expect(readStartTime(42, proc)).toBeUndefined()
})

it('passes on what else the kernel says, with the path', () => {
  mkdirSync(join(proc, '42', 'cgroup'), { recursive: true })
  expect(() => readProcessCgroups(42, proc)).toThrow(
    expect.objectContaining({ name: 'VmcgError', code: 'EISDIR', path: join(proc, '42', 'cgroup') }),
  )
})

it.each([0, -1, 1.5, Number.NaN])('refuses %p: it can be no process', (pid) => {
  expect(() => readStartTime(pid, proc)).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
  )
})

it('detects a host from any proc', () => {
  const mountPoint = join(proc, 'cgroup2')
  mkdirSync(mountPoint)
  mkdirSync(join(proc, 'self'))
  mkdirSync(join(proc, 'sys', 'kernel'), { recursive: true })
  writeFileSync(join(mountPoint, 'cgroup.controllers'), 'cpuset cpu io\n')
  writeFileSync(join(proc, 'self', 'mountinfo'), `2 1 0:2 / ${mountPoint} rw - cgroup2 cgroup2 rw\n`)
  writeFileSync(join(proc, 'self', 'cgroup'), '0::/\n')
  writeFileSync(join(proc, 'sys', 'kernel', 'osrelease'), '6.1.0-test\n')
  const host = detectHost({ procRoot: proc })
  expect(host).toMatchObject({ layout: 'v2', kernel: '6.1.0-test', isRoot: process.geteuid?.() === 0 })
  expect(host.controller('cpu')).toMatchObject({ id: 'unified', version: 2, mountPoint })
  expect(host.controller('memory')).toBeUndefined()
})
