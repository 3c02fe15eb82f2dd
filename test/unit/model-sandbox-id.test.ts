import { isVmcgError } from '../../src/errors'
import { checkParentPath } from '../../src/model/parent-path'
import { checkSandboxId } from '../../src/model/sandbox-id'

function refusal(check: () => unknown): { code: string; message: string; value?: string } {
  try {
    check()
  } catch (error) {
    if (isVmcgError(error)) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('a sandbox id', () => {
  it.each([
    'a',
    '7',
    'sandbox-1',
    'A.b_c-9',
    'vcpu',
    'cpu',
    'memory',
    'cgroup',
    'tasks2',
    'cpux.max',
    'a'.repeat(128),
  ])('may be %p', (id) => {
    expect(checkSandboxId(id)).toBe(id)
  })

  it.each([
    ['empty', ''],
    ['129 characters long', 'a'.repeat(129)],
    ['the directory itself', '.'],
    ['the directory above', '..'],
    ['a path', 'a/b'],
    ['an absolute path', '/a'],
    ['begun with a dot', '.hidden'],
    ['begun with a dash', '-rf'],
    ['ended by a newline', 'a\n'],
    ['cut short by a NUL', 'a\0b'],
    ['written with a blank', 'a b'],
    ['of letters beyond ASCII', 'é'],
    ['a number', 7],
    ['missing', undefined],
    ['null', null],
    ['an object with a good text', { toString: () => 'a' }],
  ])('may not be %s', (_, id) => {
    expect(refusal(() => checkSandboxId(id)).code).toBe('ERR_VMCG_INVALID_ID')
  })

  it.each([
    'tasks',
    'notify_on_release',
    'release_agent',
    'cgroup.procs',
    'cgroup.anything',
    'cpu.max',
    'cpu.cfs_quota_us',
    'cpuacct.usage',
    'cpuset.cpus',
    'memory.max',
    'io.max',
    'blkio.weight',
    'pids.max',
    'devices.list',
    'freezer.state',
    'hugetlb.2MB.max',
    'net_cls.classid',
    'net_prio.ifpriomap',
    'perf_event.x',
    'rdma.max',
    'misc.max',
    'dmem.max',
    'irq.pressure',
  ])('may not be %p, a name of the kernel', (id) => {
    expect(refusal(() => checkSandboxId(id)).code).toBe('ERR_VMCG_INVALID_ID')
  })

  it('is quoted in the error, escaped and cut, beside the rule', () => {
    const { message, value } = refusal(() => checkSandboxId(`a\n\0${'b'.repeat(5000)}`))
    expect(message).toContain('"a\\n\\u0000bbb')
    expect(message).toContain('1 to 128 letters, digits')
    expect(message).not.toContain('\n')
    expect(message.length).toBeLessThan(400)
    expect(value?.length).toBeLessThan(100)
  })
})

describe('a parent path', () => {
  it.each([
    ['/kata', '/kata'],
    ['/', '/'],
    ['//kata///vms/', '/kata/vms'],
    ['/./kata/.', '/kata'],
    ['/system.slice/a b:c', '/system.slice/a b:c'],
    ['/.hidden', '/.hidden'],
  ])('%p is taken as %p', (path, cleaned) => {
    expect(checkParentPath(path)).toBe(cleaned)
  })

  it.each([
    ['empty', ''],
    ['relative', 'kata'],
    ['leading upwards', '/kata/../../etc'],
    ['ending upwards', '/..'],
    ['cut by a NUL', '/kata\0'],
    ['broken by a newline', '/ka\nta'],
    ['of a kernel file', '/kata/cpu.max'],
    ['with a name of 256 bytes', `/${'é'.repeat(128)}`],
    ['of 4096 bytes', '/abc'.repeat(1024)],
    ['a number', 7],
    ['missing', undefined],
  ])('may not be %s', (_, path) => {
    expect(refusal(() => checkParentPath(path)).code).toBe('ERR_VMCG_INVALID_PATH')
  })
})
