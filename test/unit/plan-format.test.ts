import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { formatPlan } from '../../src/plan/format-plan'
import { type Operation, operationsOf, type Plan } from '../../src/plan/operations'
import { planSandbox } from '../../src/plan/plan-sandbox'
import { planTeardown } from '../../src/plan/teardown'
import { forAll } from '../support/for-all'
import { desired, hierarchy, madeHierarchy, observed, VCPUS, vmm, withVm } from '../support/sandbox-states'

const resources = { cpu: { shares: 512, quota: 50000, period: 100000 } }
const plan = planSandbox(desired({ ...withVm, resources }), observed([hierarchy('cpu')], [vmm]))
const teardown = planTeardown(
  desired(),
  observed([madeHierarchy('cpu', { vcpu: { tids: VCPUS } })], [vmm]),
  new Map(),
)

describe('as a diff', () => {
  it('says in one line each what is made, changed and moved', () => {
    expect(formatPlan(plan)).toBe(
      [
        '# vm1: directories',
        '+ cpu:/kata  (shared, stays)',
        '+ cpu:/kata/vm1',
        '+ cpu:/kata/vm1  tag nonce-of-vm1',
        '+ cpu:/kata/vm1/vcpu',
        '+ cpu:/kata/vm1/vcpu  tag nonce-of-vm1',
        '# vm1: limits',
        '~ cpu:/kata/vm1  cpu.shares 1024 → 512',
        '~ cpu:/kata/vm1/vcpu  cpu.shares 1024 → 2048',
        '~ cpu:/kata/vm1/vcpu  cpu.cfs_quota_us -1 → 50000',
        '# vm1: placement',
        '> cpu:/kata/vm1  process 100, all its threads',
        '> cpu:/kata/vm1/vcpu  threads 102 103',
        '',
      ].join('\n'),
    )
  })

  it('says what is removed', () => {
    expect(formatPlan(teardown)).toBe(
      [
        '# vm1: drain',
        '> cpu:/kata  threads 102 103',
        '# vm1: removal',
        '- cpu:/kata/vm1/vcpu',
        '- cpu:/kata/vm1',
        '',
      ].join('\n'),
    )
  })

  it.each([
    [null, '(unreadable)'],
    ['', '(empty)'],
    ['\n', '(empty)'],
    ['8:0 100\n8:16 200', '8:0 100; 8:16 200'],
    ['0-1', '0-1'],
  ])('tells a former value of %j as %s', (previous, shown) => {
    expect(formatPlan(planOf([writing('0-3', previous)]))).toContain(`cpu.shares ${shown} → 0-3\n`)
  })
})

describe('as shell lines', () => {
  it('is the commands that do the same', () => {
    expect(formatPlan(plan, { as: 'shell' })).toBe(
      [
        '# vm1: directories',
        'mkdir -p /sys/fs/cgroup/cpu/kata',
        'mkdir /sys/fs/cgroup/cpu/kata/vm1',
        'setfattr -n trusted.vmcg -v nonce-of-vm1 /sys/fs/cgroup/cpu/kata/vm1',
        'mkdir /sys/fs/cgroup/cpu/kata/vm1/vcpu',
        'setfattr -n trusted.vmcg -v nonce-of-vm1 /sys/fs/cgroup/cpu/kata/vm1/vcpu',
        '# vm1: limits',
        'echo 512 > /sys/fs/cgroup/cpu/kata/vm1/cpu.shares',
        'echo 2048 > /sys/fs/cgroup/cpu/kata/vm1/vcpu/cpu.shares',
        'echo 50000 > /sys/fs/cgroup/cpu/kata/vm1/vcpu/cpu.cfs_quota_us',
        '# vm1: placement',
        'echo 100 > /sys/fs/cgroup/cpu/kata/vm1/cgroup.procs',
        'for tid in 102 103; do echo $tid > /sys/fs/cgroup/cpu/kata/vm1/vcpu/tasks; done',
        '',
      ].join('\n'),
    )
    expect(formatPlan(teardown, { as: 'shell' })).toContain('rmdir /sys/fs/cgroup/cpu/kata/vm1/vcpu\n')
  })

  describe('run by a shell', () => {
    let base: string

    beforeEach(() => {
      base = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
      standIn('setfattr', 'printf %s "$4" > "$5/owner"')
    })

    afterEach(() => rmSync(base, { recursive: true }))

    /** A command of our own in the place of one that needs a cgroup file system. */
    function standIn(name: string, script: string): void {
      mkdirSync(join(base, 'bin'), { recursive: true })
      writeFileSync(join(base, 'bin', name), `#!/bin/sh\n${script}\n`)
      chmodSync(join(base, 'bin', name), 0o755)
    }

    function run(text: string): void {
      const PATH = `${join(base, 'bin')}:${process.env['PATH']}`
      execFileSync('sh', ['-eu'], { input: text, cwd: base, env: { PATH } })
    }

    /** One name of a path: anything that the kernel takes. */
    const name = fc
      .string({ unit: fc.constantFrom(...`ab '"\\$\`*?;&|<>(){}[]!#~-=%ö\n`), minLength: 1, maxLength: 8 })
      .filter((text) => !['.', '..'].includes(text))
    const value = fc.string({ unit: fc.constantFrom(...`01, -ne'"\\$\`*;&|#cn`), maxLength: 10 })

    it('make, tag and write just what the plan says, whatever is in names and values', () => {
      let round = 0
      forAll(
        fc.record({ mount: name, cgroup: name, owner: value, knob: name, written: value }),
        ({ mount, cgroup, owner, knob, written }) => {
          round += 1
          const mountPoint = join(base, String(round), mount)
          mkdirSync(mountPoint, { recursive: true })
          const at = { hierarchy: 'cpu', path: `/${cgroup}` }
          const operations: Operation[] = [
            { ...at, kind: 'make-directory', shared: false },
            { ...at, kind: 'tag', attribute: 'trusted.vmcg', owner },
            { ...at, kind: 'write-knob', knob: `k.${knob}`, value: written, previous: null },
            { ...at, kind: 'move-process', pid: 100 },
            { ...at, kind: 'move-threads', tids: [101, 102] },
          ]
          run(formatPlan(planOf(operations, mountPoint, [`a\nwarning ${cgroup}`]), { as: 'shell' }))
          const content = (file: string) => readFileSync(`${mountPoint}/${cgroup}/${file}`, 'utf8')
          expect(content('owner')).toBe(owner)
          expect(content(`k.${knob}`)).toBe(`${written}\n`)
          expect(content('cgroup.procs')).toBe('100\n')
          expect(content('tasks')).toBe('102\n')
        },
        { numRuns: 60 },
      )
    })

    it('remove what the plan removes', () => {
      mkdirSync(join(base, 'm/kata/it’s here'), { recursive: true })
      const operation: Operation = { kind: 'remove-directory', hierarchy: 'cpu', path: '/kata/it’s here' }
      run(formatPlan(planOf([operation], join(base, 'm')), { as: 'shell' }))
      expect(existsSync(join(base, 'm/kata'))).toBe(true)
      expect(existsSync(join(base, 'm/kata/it’s here'))).toBe(false)
    })

    it('leave the same tree as the plan of a whole sandbox', () => {
      const cpu = { ...hierarchy('cpu'), mountPoint: base }
      const whole = planSandbox(desired({ ...withVm, resources }), observed([cpu], [vmm]))
      run(formatPlan(whole, { as: 'shell' }))
      for (const operation of operationsOf(whole)) {
        if (operation.kind !== 'write-knob') continue
        expect(readFileSync(`${base}${operation.path}/${operation.knob}`, 'utf8')).toBe(
          `${operation.value}\n`,
        )
      }
      expect(readFileSync(`${base}/kata/vm1/vcpu/owner`, 'utf8')).toBe('nonce-of-vm1')
    })

    it('run nothing from a name or a warning that breaks the line', () => {
      const evil = `x\ntouch ${base}/evil`
      run(formatPlan({ ...planOf([], base, [evil]), sandbox: evil }, { as: 'shell' }))
      run(formatPlan({ ...planOf([writing('1')], base), sandbox: evil }, { as: 'shell' }))
      expect(existsSync(join(base, 'evil'))).toBe(false)
    })
  })
})

it.each(['diff', 'shell'] as const)('says that there is nothing to do, as %s', (as) => {
  expect(formatPlan({ ...plan, stages: [] }, { as })).toBe('# vm1: nothing to do\n')
})

it('ends with the warnings', () => {
  expect(formatPlan(planOf([writing('1')], '/m', ['no vCPUs']))).toMatch(/\n# warning: no vCPUs\n$/)
})

it('has colours only when they are asked for, and the same words', () => {
  expect(formatPlan(plan)).not.toContain('\u001b')
  const colored = formatPlan(plan, { color: true })
  expect(
    colored
      .split('\n')
      .slice(0, -1)
      .every((line) => line.startsWith('\u001b[')),
  ).toBe(true)
  expect(
    colored
      .split('\u001b')
      .map((part) => part.replace(/^\[\d+m/, ''))
      .join(''),
  ).toBe(formatPlan(plan))
})

function writing(value: string, previous: string | null = null): Operation {
  return { kind: 'write-knob', hierarchy: 'cpu', path: '/', knob: 'cpu.shares', value, previous }
}

function planOf(operations: readonly Operation[], mount = '/m', warnings: readonly string[] = []): Plan {
  const stages = operations.length === 0 ? [] : [{ name: 'limits', operations } as const]
  return { sandbox: 'vm1', mounts: { cpu: mount }, stages, warnings }
}
