import { parseProcCgroup } from '../../src/host/proc-cgroup'

it('reads v1, named and v2 lines', () => {
  expect(parseProcCgroup('9:name=systemd:/\n4:cpu,cpuacct:/kata/a/vcpu\n0::/init.scope\n')).toEqual([
    { hierarchyId: 9, controllers: ['name=systemd'], path: '/' },
    { hierarchyId: 4, controllers: ['cpu', 'cpuacct'], path: '/kata/a/vcpu' },
    { hierarchyId: 0, controllers: [], path: '/init.scope' },
  ])
})

it.each([
  ['5:memory:/system.slice:docker:abc', '/system.slice:docker:abc'],
  ['5:memory:/a b', '/a b'],
  ['0::/../sibling', '/../sibling'],
  ['0::/gone (deleted)', '/gone (deleted)'],
])('takes the path of %j as it is', (line, path) => {
  expect(parseProcCgroup(line)).toEqual([expect.objectContaining({ path })])
})

it.each(['', '\n', 'nonsense', '5:memory', 'x:memory:/', '5:memory:relative'])('skips %j', (text) => {
  expect(parseProcCgroup(text)).toEqual([])
})
