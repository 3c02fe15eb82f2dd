import { after as stateAfter } from '../../src/plan/after'
import { knobValue, type Observed } from '../../src/plan/observed'
import { LEAF, observed, processOf, SANDBOX, VMM, VMM_THREADS } from '../support/sandbox-states'
import { madeUnified, unified } from '../support/sandbox-states-v2'

const mkdir = (path: string) =>
  ({ kind: 'make-directory', hierarchy: 'unified', path, shared: false }) as const
const write = (path: string, knob: string, value: string) =>
  ({ kind: 'write-knob', hierarchy: 'unified', path, knob, value, previous: null }) as const

function knob(state: Observed, path: string, name: string): string | undefined {
  return knobValue(state.hierarchies[0]?.cgroups[path], name)
}

describe('a new cgroup of v2', () => {
  test('has the knobs of what the one above it hands down, and no others', () => {
    const state = stateAfter(observed([unified({}, 'cpu')]), mkdir('/kata'))
    expect(knob(state, '/kata', 'cgroup.controllers')).toBe('cpu')
    expect(knob(state, '/kata', 'cgroup.type')).toBe('domain')
    expect(knob(state, '/kata', 'cpu.max')).toBe('max 100000')
    expect(knob(state, '/kata', 'pids.max')).toBeUndefined()
  })

  test('beside threaded ones is invalid', () => {
    const state = stateAfter(observed([madeUnified()]), mkdir(`${SANDBOX}/other`))
    expect(knob(state, `${SANDBOX}/other`, 'cgroup.type')).toBe('domain invalid')
  })
})

describe('handing a controller down', () => {
  test('gives those below its knobs, also such as only were asked about', () => {
    const made = stateAfter(observed([unified({}, 'cpu')]), mkdir('/kata'))
    const state = stateAfter(made, write('/', 'cgroup.subtree_control', '+pids +cpu'))
    expect(knob(state, '/', 'cgroup.subtree_control')).toBe('cpu pids')
    expect(knob(state, '/kata', 'cgroup.controllers')).toBe('cpu pids')
    expect(knob(state, '/kata', 'pids.max')).toBe('max')
  })

  test('shows below which CPUs there are', () => {
    const made = stateAfter(observed([unified()]), mkdir('/kata'))
    const state = stateAfter(made, write('/', 'cgroup.subtree_control', '+cpuset'))
    expect(knob(state, '/kata', 'cpuset.cpus')).toBe('')
    expect(knob(state, '/kata', 'cpuset.cpus.effective')).toBe('0-3')
  })
})

test('a threaded cgroup makes the one above it a thread root, and those beside it invalid', () => {
  const made = [mkdir('/kata'), mkdir(SANDBOX), mkdir(LEAF), mkdir(`${SANDBOX}/other`)].reduce(
    stateAfter,
    observed([unified()]),
  )
  const state = stateAfter(made, write(LEAF, 'cgroup.type', 'threaded'))
  const types = ['/kata', SANDBOX, LEAF, `${SANDBOX}/other`].map((path) => knob(state, path, 'cgroup.type'))
  expect(types).toEqual(['domain', 'domain threaded', 'threaded', 'domain invalid'])
})

test('a process that moves is listed by its new cgroup, with its threads', () => {
  const state = stateAfter(observed([madeUnified()], [processOf(VMM, VMM_THREADS)]), {
    kind: 'move-process',
    hierarchy: 'unified',
    path: SANDBOX,
    pid: VMM,
  })
  expect(state.hierarchies[0]?.cgroups[SANDBOX]).toMatchObject({ pids: [VMM], tids: VMM_THREADS })
})
