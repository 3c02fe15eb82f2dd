import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import { detectHost } from '../../src/host/detect'
import type { ObservedHierarchy } from '../../src/plan/observed'
import { SimulatedKernel } from '../../src/plan/simulated-kernel'
import { freshPath } from '../support/cgroups'
import { describeWhere, describeWith } from '../support/require'
import { patience } from '../support/scale'
import { type StandIn, startStandIn } from '../support/stand-in'

jest.setTimeout(patience(60_000))

const v2 = detectHost().hierarchies.find(({ version, isReadOnly }) => version === 2 && !isReadOnly)
/** One that tells no threads apart, and is handed down here or can be; hybrid hosts often have none. */
const domainController = v2?.controllers.find((name) => ['hugetlb', 'memory', 'io'].includes(name)) ?? ''

/**
 * Both kernels, the real one and ours, do the same steps below a directory of the test's own: `make a/b`,
 * `enable a +x`, `threaded a/b`, `process a`, `thread a/b`, `remove a`. Each answers with an errno or `ok`.
 */
class TwoKernels {
  readonly path = freshPath()
  readonly #pid: number
  readonly #tid: number
  readonly #made: string[] = []
  #simulated: SimulatedKernel

  constructor({ pid }: StandIn, tid: number) {
    this.#pid = pid
    this.#tid = tid
    mkdirSync(this.#directory(''))
    this.#made.push('')
    const read = (file: string) => ({
      kind: 'value' as const,
      value: readFileSync(join(this.#directory(''), file), 'utf8').trimEnd(),
    })
    const hierarchy: ObservedHierarchy = {
      id: 'unified',
      version: 2,
      controllers: v2?.controllers ?? [],
      mountPoint: v2?.mountPoint ?? '',
      cgroups: {
        '/t': {
          owner: null,
          tids: [],
          pids: [],
          knobs: Object.fromEntries(
            ['cgroup.type', 'cgroup.subtree_control', 'cgroup.controllers'].map((file) => [file, read(file)]),
          ),
        },
      },
    }
    const threads = [pid, tid].map((id) => ({ tid: id, startTime: 1, name: 'x' }))
    this.#simulated = new SimulatedKernel({
      hierarchies: [hierarchy],
      processes: [{ pid, startTime: 1, threads }],
    })
  }

  /** `[the real answer, ours]` */
  do(step: string): readonly [string, string] {
    const [verb = '', where = '', value = ''] = step.split(' ')
    const below = where === '.' ? '' : `/${where}`
    return [this.#really(verb, below, value), this.#simulate(verb, below, value)]
  }

  remove(): void {
    for (const path of this.#made.reverse()) rmdirSync(this.#directory(path))
  }

  #directory(below: string): string {
    return join(v2?.mountPoint ?? '', this.path, below)
  }

  #really(verb: string, below: string, value: string): string {
    const directory = this.#directory(below)
    try {
      if (verb === 'make') {
        mkdirSync(directory)
        this.#made.push(below)
      } else writeFileSync(join(directory, FILES[verb] ?? ''), this.#text(verb, value), { flag: 'r+' })
      return 'ok'
    } catch (error) {
      return String(Reflect.get(Object(error), 'code'))
    }
  }

  #text(verb: string, value: string): string {
    return (
      { enable: value, threaded: 'threaded', process: String(this.#pid), thread: String(this.#tid) }[verb] ??
      ''
    )
  }

  #simulate(verb: string, below: string, value: string): string {
    const at = { hierarchy: 'unified', path: `/t${below}` }
    const answer = this.#simulated.execute(
      verb === 'make'
        ? { ...at, kind: 'make-directory', shared: false }
        : verb === 'process'
          ? { ...at, kind: 'move-process', pid: this.#pid }
          : verb === 'thread'
            ? { ...at, kind: 'move-threads', tids: [this.#tid] }
            : {
                ...at,
                kind: 'write-knob',
                knob: FILES[verb] ?? '',
                value: this.#text(verb, value),
                previous: null,
              },
    )
    const errno = answer.errno || (answer.ids[0]?.errno ?? 0)
    return errno === 0 ? 'ok' : (getSystemErrorMap().get(-errno)?.[0] ?? String(errno))
  }
}

const FILES: Readonly<Record<string, string>> = {
  enable: 'cgroup.subtree_control',
  threaded: 'cgroup.type',
  process: 'cgroup.procs',
  thread: 'cgroup.threads',
}

describeWhere(v2 !== undefined, 'cgroup v2', 'the structure of v2', () => {
  describeWith(['root', 'python'], 'is the same to the kernel and to the simulated one', () => {
    let standIn: StandIn
    let kernels: TwoKernels

    beforeEach(async () => {
      standIn = await startStandIn()
      const [tid = 0] = await standIn.start(1)
      kernels = new TwoKernels(standIn, tid)
    })
    afterEach(async () => {
      await standIn.kill()
      // The kernel keeps a cgroup busy until its last thread is gone for good.
      for (let tries = 0; tries < 200 && isPopulated(kernels.path); tries += 1)
        await new Promise((resolve) => setTimeout(resolve, 5))
      kernels.remove()
    })

    /** @param steps a verb, where, what with, and the answer of both */
    function prove(steps: readonly string[]): void {
      for (const step of steps) {
        const [verb, where, ...rest] = step.split(' ')
        const expected = rest.at(-1) ?? ''
        const asked = [verb, where, ...rest.slice(0, -1)].join(' ')
        expect([asked, ...kernels.do(asked)]).toEqual([asked, expected, expected])
      }
    }

    test.each([
      [
        'a sandbox as it is made',
        [
          'make vm ok',
          'make vm/vcpu ok',
          'threaded vm/vcpu ok',
          'process vm ok',
          'thread vm/vcpu ok',
          'thread vm ok',
        ],
      ],
      [
        'a process first, and the leaf after it',
        ['make vm ok', 'process vm ok', 'make vm/vcpu ok', 'threaded vm/vcpu ok', 'thread vm/vcpu ok'],
      ],
      [
        'a leaf that holds somebody',
        ['make vm ok', 'make vm/vcpu ok', 'process vm/vcpu ok', 'threaded vm/vcpu ENOTSUP'],
      ],
      [
        'one beside a threaded one',
        [
          'make vm ok',
          'make vm/vcpu ok',
          'threaded vm/vcpu ok',
          'make vm/other ok',
          'process vm/other ENOTSUP',
        ],
      ],
      ['a thread alone from another part of the tree', ['make vm ok', 'thread vm ENOTSUP']],
      [
        'a thread into a cgroup beside its own',
        ['make vm ok', 'make other ok', 'process other ok', 'thread vm ENOTSUP'],
      ],
      ['a controller that nobody knows', ['enable . +nothing EINVAL']],
      [
        'a type that there is no way back to',
        ['make vm ok', 'make vm/vcpu ok', 'threaded vm/vcpu ok', 'threaded vm/vcpu ok'],
      ],
    ])('%s', (_, steps) => prove(steps))

    describeWhere(domainController !== '', 'controller of v2 for whole processes', 'a controller', () => {
      test('that is not handed down', () => prove(['make vm ok', `enable vm +${domainController} ENOENT`]))
    })
  })
})

function isPopulated(path: string): boolean {
  const directory = join(v2?.mountPoint ?? '', path)
  const events = readFileSync(join(directory, 'cgroup.events'), 'utf8')
  return readdirSync(directory).length > 0 && events.includes('populated 1')
}
