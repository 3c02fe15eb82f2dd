import { operationsOf } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import {
  desired,
  hierarchy,
  LEAF,
  madeHierarchy,
  OWNER,
  observed,
  SANDBOX,
  VCPUS,
} from '../support/sandbox-states'

const parent = { '/kata': {} }

it('makes parent, sandbox and leaf from the top, and tags what is its own', () => {
  const plan = planSandbox(desired(), observed([hierarchy('cpu')]))
  expect(plan.stages).toEqual([
    {
      name: 'directories',
      operations: [
        { kind: 'make-directory', hierarchy: 'cpu', path: '/kata', shared: true },
        { kind: 'make-directory', hierarchy: 'cpu', path: SANDBOX, shared: false },
        { kind: 'tag', hierarchy: 'cpu', path: SANDBOX, attribute: 'trusted.vmcg', owner: OWNER },
        { kind: 'make-directory', hierarchy: 'cpu', path: LEAF, shared: false },
        { kind: 'tag', hierarchy: 'cpu', path: LEAF, attribute: 'trusted.vmcg', owner: OWNER },
      ],
    },
  ])
  expect(plan.mounts).toEqual({ cpu: '/sys/fs/cgroup/cpu' })
})

it('makes every level of a deep parent', () => {
  const plan = planSandbox(desired({ parent: '/a/b' }), observed([hierarchy('cpu', { '/a': {} })]))
  expect(operationsOf(plan).map(({ path }) => path)).toEqual([
    '/a/b',
    '/a/b/vm1',
    '/a/b/vm1',
    '/a/b/vm1/vcpu',
    '/a/b/vm1/vcpu',
  ])
})

it('can live directly below the root', () => {
  const plan = planSandbox(desired({ parent: '/' }), observed([hierarchy('cpu')]))
  expect(operationsOf(plan)).toContainEqual({
    kind: 'make-directory',
    hierarchy: 'cpu',
    path: '/vm1',
    shared: false,
  })
})

it('makes nothing where all of it is there', () => {
  expect(planSandbox(desired(), observed([madeHierarchy('cpu')])).stages).toEqual([])
})

it('makes only what is missing, in each hierarchy for itself', () => {
  const cpuacct = hierarchy('cpuacct', { ...parent, [SANDBOX]: { owner: OWNER } })
  const plan = planSandbox(desired(), observed([madeHierarchy('cpu'), cpuacct]))
  expect(operationsOf(plan)).toEqual([
    { kind: 'make-directory', hierarchy: 'cpuacct', path: LEAF, shared: false },
    { kind: 'tag', hierarchy: 'cpuacct', path: LEAF, attribute: 'trusted.vmcg', owner: OWNER },
  ])
})

it('takes up an empty directory without a tag where a crash may have left it', () => {
  const cpu = hierarchy('cpu', { ...parent, [SANDBOX]: { owner: OWNER }, [LEAF]: {} })
  const plan = planSandbox(desired({ claimed: ['cpu'] }), observed([cpu]))
  expect(operationsOf(plan)).toEqual([
    { kind: 'tag', hierarchy: 'cpu', path: LEAF, attribute: 'trusted.vmcg', owner: OWNER },
  ])
})

it('never tags the parent, which others share', () => {
  const plan = planSandbox(desired({ claimed: ['cpu'] }), observed([hierarchy('cpu', parent)]))
  expect(operationsOf(plan).filter(({ path }) => path === '/kata')).toEqual([])
})

it.each([
  ['tagged by another', { [SANDBOX]: { owner: 'another' } }, ['cpu'], /another state/],
  ['without a tag, with threads in it', { [SANDBOX]: { tids: VCPUS } }, ['cpu'], /no tag.*threads in it: 2/],
  ['without a tag, where nothing is claimed', { [SANDBOX]: {} }, ['cpuacct'], /no tag.*threads in it: 0/],
  [
    'of another in the place of the leaf',
    { [SANDBOX]: { owner: OWNER }, [LEAF]: { owner: 'another' } },
    ['cpu'],
    /vm1\/vcpu exists already/,
  ],
])('refuses a directory %s', (_, cgroups, claimed, message) => {
  const state = observed([hierarchy('cpu', { ...parent, ...cgroups })])
  expect(() => planSandbox(desired({ claimed }), state)).toThrow(
    expect.objectContaining({
      code: 'ERR_VMCG_FOREIGN_CGROUP',
      message: expect.stringMatching(message),
      path: expect.stringContaining(`/sys/fs/cgroup/cpu${SANDBOX}`),
    }),
  )
})

it('refuses the whole plan for a foreign directory in one of several hierarchies', () => {
  const foreign = hierarchy('cpuset', { ...parent, [SANDBOX]: { owner: 'another' } })
  expect(() => planSandbox(desired(), observed([hierarchy('cpu'), foreign]))).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_FOREIGN_CGROUP' }),
  )
})
