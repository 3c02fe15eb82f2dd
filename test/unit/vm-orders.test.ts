import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { GUESTS, type Guest } from '../vm/guests'
import { commandOrders, modulesJob, testOrders } from '../vm/orders'

const FILES = ['crash-x', 'kill-v1', 'kill-v2'].map((name) => `test/integration/${name}.test.ts`)
const GUEST: Guest = {
  name: 'g',
  shows: '',
  kernel: [],
  lacks: ['kvm', 'nasm'],
  phases: [
    { name: 'first', files: /^(?!crash-)/ },
    {
      name: 'second',
      files: /^crash-/,
      user: 'vmcg',
      session: 'systemd',
      before: [['true']],
      env: { VMCG_SCALE: '1' },
      lacks: ['gcc'],
    },
  ],
}

describe('what a guest is told to do', () => {
  test('is each phase with the files that it is for, its environment, and what the boot lacks', () => {
    const { orders } = testOrders(GUEST, FILES, ['crash', 'kill'], { VMCG_SCALE: '0.1', VMCG_PATIENCE: '9' })
    const { jobs } = orders
    expect(jobs.map(({ name, command }) => [name, command.filter((word) => FILES.includes(word))])).toEqual([
      ['first', FILES.slice(1)],
      ['second', FILES.slice(0, 1)],
    ])
    const [first, second] = jobs
    expect(first).toMatchObject({ user: 'root', before: [], kind: 'jest' })
    expect(first?.env).toEqual({
      VMCG_SCALE: '0.1',
      VMCG_PATIENCE: '9',
      VMCG_REQUIRE: '1',
      VMCG_LACKS: 'kvm,nasm',
    })
    expect(second).toMatchObject({
      user: 'vmcg',
      session: 'systemd',
      before: [['true']],
      env: { VMCG_SCALE: '1' },
    })
    expect(second?.env).toMatchObject({ VMCG_LACKS: 'kvm,nasm,gcc,root' })
  })

  test('is only what the patterns match, and nothing where they match nothing', () => {
    const names = (...patterns: string[]) =>
      testOrders(GUEST, FILES, patterns, {}).orders.jobs.map(({ name }) => name)
    expect(names('kill-v2')).toEqual(['first'])
    expect(names('kill-v2', 'crash')).toEqual(['first', 'second'])
    expect(names('nothing')).toEqual([])
  })

  test('is all files, many in one, without patterns', () => {
    const files = Array.from({ length: 25 }, (_, index) => `test/integration/kill-${index}.test.ts`)
    const { orders, parts } = testOrders(GUEST, files, [], {})
    const [job] = orders.jobs
    const paths = parts.map(({ path }) => path)
    expect(paths).toEqual([1, 2, 3].map((part) => `test/parts/g-first-${part}.test.ts`))
    expect(job?.command.slice(-3)).toEqual(paths)
    for (const file of files)
      expect([file, parts.filter(({ text }) => text.includes(`"${file}"`)).length]).toEqual([file, 1])
  })

  test('can be a command instead', () => {
    const [job] = commandOrders('uname -r', {}).jobs
    expect(job).toMatchObject({ command: ['sh', '-c', 'uname -r'], kind: 'command', user: 'root' })
  })
})

describe("the kernel's modules of a guest", () => {
  /** What the script ends with where `modprobe` knows these modules alone. */
  function load(known: readonly string[], lacks: readonly string[]): { status: number | null; told: string } {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-modules-'))
    try {
      const lines = known.map((name) => `[ "$1" = ${name} ] && exit 0`)
      writeFileSync(join(folder, 'modprobe'), ['#!/bin/sh', ...lines, 'exit 1', ''].join('\n'), {
        mode: 0o755,
      })
      const { env, command } = modulesJob(lacks)
      const script = join(__dirname, '..', 'vm', 'guest', basename(command.at(-1) ?? ''))
      const { status, stderr } = spawnSync('sh', [script], {
        env: { ...env, PATH: `${folder}:${process.env['PATH']}` },
        encoding: 'utf8',
      })
      return { status, told: stderr }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  const MODULES = ['vhost_net', 'vhost_vsock', 'tun', 'dm-mod', 'loop', 'bfq', 'null_blk']
  const others = MODULES.filter((name) => name !== 'vhost_net' && name !== 'dm-mod')

  test('are loaded before all else', () => {
    expect(load(MODULES, [])).toEqual({ status: 0, told: '' })
  })

  test('fail the boot where one does not come, by their names', () => {
    expect(load(others, [])).toEqual({ status: 1, told: 'this boot lacks: vhost_net dm-mod\n' })
  })

  test('are left out where the boot is known to lack them', () => {
    expect(load(others, ['kvm', 'dm-mod', 'vhost_net'])).toEqual({ status: 0, told: '' })
  })
})

describe('the table of guests', () => {
  const names = readdirSync(join(__dirname, '..', 'integration'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replace('.test.ts', ''))

  test.each(GUESTS.flatMap(({ name, phases }) => phases.map((phase) => [name, phase.name, phase] as const)))(
    'has test files for %s, %s',
    (_guest, _phase, { files }) => {
      expect(names.filter((name) => files.test(name))).not.toEqual([])
    },
  )

  test('leaves no test file out of every guest', () => {
    const phases = GUESTS.flatMap((guest) => guest.phases)
    expect(names.filter((name) => !phases.some(({ files }) => files.test(name)))).toEqual([])
  })

  test('has no requirement that every boot lacks, but what the image of them all is without', () => {
    const common = GUESTS.map(({ lacks }) => lacks).reduce((all, lacks) =>
      all.filter((name) => lacks.includes(name)),
    )
    expect(common).toEqual(['rt-group-sched', 'gcc', 'strace', 'kvm', 'delegated-v2', 'user-systemd'])
  })
})
