import * as fc from 'fast-check'
import { isSystemdCgroupPath, normalizeCgroupPath, systemdUnit } from '../../src/model/cgroup-path'
import { forAll } from '../support/for-all'

const invalidPath = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_VMCG_INVALID_PATH', message: expect.stringMatching(message) })

describe('normalizeCgroupPath', () => {
  it.each([
    ['/pods/pod1/sandbox', '/pods/pod1/kata_sandbox'],
    ['/sandbox', '/kata_sandbox'],
    ['sandbox', '/vc/kata_sandbox'],
    ['pods/sandbox', '/vc/pods/kata_sandbox'],
    ['/pods//pod1/./sandbox/', '/pods/pod1/kata_sandbox'],
    ['/pods/../sandbox', '/kata_sandbox'],
    ['pods/pod1/../sandbox', '/vc/pods/kata_sandbox'],
    ['/pods/kata_sandbox', '/pods/kata_sandbox'],
    ['/kata_pods/sandbox', '/kata_pods/kata_sandbox'],
    ['/pods/tasks', '/pods/kata_tasks'],
    ['a:b:c', '/vc/kata_a:b:c'],
    ['/pods/x.slice:y:z', '/pods/kata_x.slice:y:z'],
  ])('makes %p to %p', (path, normal) => {
    expect(normalizeCgroupPath(path)).toBe(normal)
  })

  it('leaves a systemd path as it is', () => {
    const path = 'kubepods-besteffort-pod1.slice:cri-containerd:1a2b'
    expect(normalizeCgroupPath(path)).toBe(path)
    expect(normalizeCgroupPath(path, { systemd: true })).toBe(path)
  })

  it.each([
    ['', /empty/],
    ['/', /names no cgroup/],
    ['.', /names no cgroup/],
    ['a/..', /names no cgroup/],
    ['..', /leads out/],
    ['../a', /leads out/],
    ['/../a', /leads out/],
    ['/a/../../b', /leads out/],
    ['a\0b', /NUL/],
    ['a\nb', /newline/],
    ['/cpu.max/a', /kernel file/],
    ['x.slice:y', /three fields/],
    ['x.slice:y:../z', /takes in no unit/],
  ])('refuses %p', (path, reason) => {
    expect(() => normalizeCgroupPath(path)).toThrow(invalidPath(reason))
  })

  it('refuses what is too long for the kernel, with the prefix', () => {
    expect(normalizeCgroupPath(`/${'a'.repeat(250)}`)).toHaveLength(256)
    expect(() => normalizeCgroupPath(`/${'a'.repeat(251)}`)).toThrow(invalidPath(/longer than 255/))
    expect(() => normalizeCgroupPath(`/${'a/'.repeat(2100)}b`)).toThrow(invalidPath(/longer than 4095/))
  })

  it.each(['/pods/sandbox', 'sandbox', 'a:b:c', ''])('refuses %p where systemd is asked for', (path) => {
    expect(() => normalizeCgroupPath(path, { systemd: true })).toThrow(invalidPath(/systemd/))
  })

  it('says what to pass', () => {
    const hint = expect.stringMatching('/pods/sandbox-1')
    expect(() => normalizeCgroupPath('')).toThrow(expect.objectContaining({ hint }))
  })

  it('never leads out, and makes of its own result the same again', () => {
    const piece = fc.constantFrom('a', 'b.c', '..', '.', '', 'kata_', 'kata_x', 'tasks', ' ', 'é')
    forAll(fc.array(piece, { maxLength: 8 }), (pieces) => {
      let normal: string
      try {
        normal = normalizeCgroupPath(pieces.join('/'))
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_VMCG_INVALID_PATH' })
        return
      }
      expect(normal).toMatch(/^\/(?:[^/]+\/)*kata_[^/]*$/)
      expect(normal.split('/')).not.toContain('..')
      expect(normalizeCgroupPath(normal)).toBe(normal)
    })
  })
})

describe('isSystemdCgroupPath', () => {
  it.each([
    'system.slice:vmcg:sandbox-1',
    'kubepods-besteffort-pod1_2.slice:cri-containerd:1a2b',
    '-.slice:crio:abc',
    'a.slice:x:a-b.slice',
  ])('knows %p', (path) => {
    expect(isSystemdCgroupPath(path)).toBe(true)
  })

  it.each([
    'a:b:c',
    'a.slice:b',
    'a.slice:b:c:d',
    'a.slice::c',
    'a.slice:b:',
    ':b:c',
    '/a.slice:b:c',
    'a.slice:b:c/d',
    'a.slice:b:..',
    'a.slice:b:c\n',
    'a.slice:b:c\0',
    'a--b.slice:b:c',
    '.slice:a:b',
    '',
  ])('knows that %p is none', (path) => {
    expect(isSystemdCgroupPath(path)).toBe(false)
  })
})

describe('systemdUnit', () => {
  it.each([
    ['system.slice:vmcg:1', 'system.slice', 'vmcg-1.scope', '/system.slice/vmcg-1.scope'],
    ['a-b-c.slice:p:n', 'a-b-c.slice', 'p-n.scope', '/a.slice/a-b.slice/a-b-c.slice/p-n.scope'],
    ['-.slice:p:n', '-.slice', 'p-n.scope', '/p-n.scope'],
    ['a.slice:p:a-b.slice', 'a.slice', 'a-b.slice', '/a.slice/a-b.slice'],
    ['-.slice:p:b.slice', '-.slice', 'b.slice', '/b.slice'],
    ['cpu.slice:p:n', 'cpu.slice', 'p-n.scope', '/_cpu.slice/p-n.scope'],
    ['a.slice:_p:n', 'a.slice', '_p-n.scope', '/a.slice/__p-n.scope'],
  ])('makes of %p a unit and its cgroup', (path, slice, unit, cgroupPath) => {
    expect(systemdUnit(path)).toEqual({ slice, unit, cgroupPath })
  })

  it.each([
    ['a:b:c', /"a" is no slice/],
    ['-a.slice:b:c', /no slice/],
    ['a-.slice:b:c', /no slice/],
    ['a--b.slice:b:c', /no slice/],
    ['a..b.slice:b:c', /has a "\.\."/],
    ['a b.slice:b:c', /takes in no unit/],
    ['a.slice:b:c@d', /takes in no unit/],
    ['a.slice:b:ü', /takes in no unit/],
    ['a.slice::c', /prefix is empty/],
    ['a.slice:b:', /name is empty/],
    ['a.slice:b:c.slice', /systemd puts c\.slice in -\.slice, not in a\.slice/],
    ['-.slice:b:-.slice', /no slice that can be made/],
  ])('refuses %p', (path, reason) => {
    expect(() => systemdUnit(path)).toThrow(invalidPath(reason))
  })

  it('refuses a unit name that is too long for systemd', () => {
    expect(systemdUnit(`a.slice:b:${'c'.repeat(247)}`).unit).toHaveLength(255)
    expect(() => systemdUnit(`a.slice:b:${'c'.repeat(248)}`)).toThrow(invalidPath(/longer than 255/))
  })

  it('refuses a name that the underscore of systemd makes too long for the kernel', () => {
    expect(() => systemdUnit(`a.slice:_b:${'c'.repeat(246)}`)).toThrow(
      invalidPath(/names its cgroup "__b-c.*longer than 255/),
    )
  })

  it('refuses a slice with so many levels that the path is too long for the kernel', () => {
    const sliceOf = (levels: number) => `${Array.from({ length: levels }, () => 'a').join('-')}.slice`
    expect(systemdUnit(`${sliceOf(50)}:b:c`).cgroupPath.split('/')).toHaveLength(52)
    expect(() => systemdUnit(`${sliceOf(70)}:b:c`)).toThrow(invalidPath(/longer than 4095/))
  })
})
