import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import * as fc from 'fast-check'
import type { DeviceAccess } from '../../src/model/devices/device-access'
import { deviceProgram } from '../../src/model/devices/device-program'
import { deviceState } from '../../src/model/devices/device-state'
import { programErrno } from '../../src/plan/device-programs'
import { pathChain } from '../../src/plan/observed'
import { operationsOf, type Plan, type SetDeviceProgram } from '../../src/plan/operations'
import type { RememberedProgram } from '../../src/plan/remembered-program'
import { runChildWithout } from '../support/child-process'
import { Resident } from '../support/device-cgroup'
import { anyAccess, isGranted, rules } from '../support/device-rules'
import { DeviceSession } from '../support/device-session'
import { describeWith } from '../support/require'
import { rounds } from '../support/scale'
import { UNIFIED, UnifiedHome } from '../support/unified-home'

const NULL = ['deny a *:* rwm', 'allow c 1:3 rwm']
const ZERO = ['deny a *:* rwm', 'allow c 1:5 rwm']
const UPDATES = rounds(200, 20)

const nameOf = (list: readonly string[]) => deviceProgram(deviceState(rules(...list))).name

describeWith(['root', 'unified', 'python', 'setpriv'], 'device programs of cgroup v2', () => {
  if (UNIFIED === undefined) throw new Error('no cgroup v2 is mounted')
  const hierarchy = UNIFIED
  let home: UnifiedHome
  let session: DeviceSession
  let residents: Resident[]

  const newSession = (memory: RememberedProgram | null = null) =>
    new DeviceSession(hierarchy, basename(home.path), memory)
  const apply = (list: readonly string[]) => session.apply(rules(...list))
  const names = async () => (await session.programs()).map(({ name }) => name)

  /** As a process that begins anew would have it: from the state file, and without a descriptor. */
  function restart(): void {
    session.close()
    session = newSession(JSON.parse(JSON.stringify(session.memory)))
  }

  beforeEach(() => {
    home = new UnifiedHome()
    session = newSession()
    residents = []
  })
  afterEach(async () => {
    session.close()
    for (const resident of residents) await resident.leave()
    await home.clear()
  })

  async function enter(): Promise<Resident> {
    const resident = await Resident.in({ path: home.directory() })
    residents.push(resident)
    return resident
  }

  /** Attached by another program, with bpf(2) and flags of its own. Returns the kernel's errno. */
  function attachForeign(verdict: 'allow' | 'deny', name = 'somebody', flags = 2, path = home.path): number {
    const script = join(__dirname, '..', 'support', 'foreign-program.py')
    const args = [script, home.directory(path), name, verdict, String(flags)]
    const { stdout, stderr, status } = spawnSync('python3', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return Number(stdout)
  }

  describe('for a process inside', () => {
    it('let it open what is allowed and nothing else', async () => {
      const resident = await enter()
      expect(await resident.tries('both', '/dev/full')).toBe('ok')
      await apply(['deny a *:* rwm', 'allow c 1:5 r', 'allow c 1:7 rw'])
      expect(await resident.tries('read', '/dev/zero')).toBe('ok')
      expect(await resident.tries('write', '/dev/zero')).toBe('EPERM')
      expect(await resident.tries('both', '/dev/full')).toBe('ok')
      expect(await resident.tries('read', '/dev/null')).toBe('EPERM')
    })

    it('add a device and take it away again, and leave alone what is open', async () => {
      const resident = await enter()
      await apply(NULL)
      expect(await resident.tries('read', '/dev/zero')).toBe('EPERM')
      await apply([...NULL, 'allow c 1:5 rw'])
      expect(await resident.tries('keep', '/dev/zero')).toBe('ok')
      await apply(NULL)
      expect(await resident.tries('read', '/dev/zero')).toBe('EPERM')
      expect(await resident.tries('use')).toBe('ok')
      expect(await resident.tries('read', '/dev/null')).toBe('ok')
    })

    it('let it make a node only where that is allowed', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-node-'))
      const resident = await enter()
      await apply(['allow c 1:5 rw', 'allow c 1:3 rwm'])
      expect(await resident.tries('node', join(folder, 'zero'))).toBe('EPERM')
      await apply(['allow c 1:3 rwm', 'allow c *:* m'])
      expect(await resident.tries('node', join(folder, 'zero'))).toBe('ok')
      rmSync(folder, { recursive: true })
    })

    it('want both accesses of one rule, as v1 does', async () => {
      const resident = await enter()
      await apply(['allow c 1:* r', 'allow c 1:5 w', 'allow c 1:3 rw'])
      expect(await resident.tries('read', '/dev/zero')).toBe('ok')
      expect(await resident.tries('write', '/dev/zero')).toBe('ok')
      expect(await resident.tries('both', '/dev/zero')).toBe('EPERM')
    })

    it('hold back nothing any more once there are no rules', async () => {
      const resident = await enter()
      await apply(NULL)
      expect(await resident.tries('read', '/dev/zero')).toBe('EPERM')
      await session.apply(null)
      expect(await session.programs()).toEqual([])
      expect(await resident.tries('read', '/dev/zero')).toBe('ok')
    })

    it('decide as v1 does, for any access', async () => {
      const resident = await enter()
      const deeds = { read: ['r'], write: ['w'], both: ['r', 'w'] } as const
      const accesses: DeviceAccess[] = fc.sample(anyAccess, 20)
      for (const access of accesses) {
        if (access.byDefault === 'allow') continue
        await session.apply(access.exceptions.map((exception) => ({ allow: true, ...exception })))
        for (const deed of ['read', 'write', 'both'] as const) {
          const request = { type: 'c', major: 1, minor: 3, access: deeds[deed] } as const
          const answer = isGranted(access, request) ? 'ok' : 'EPERM'
          expect([access, deed, await resident.tries(deed, '/dev/null')]).toEqual([access, deed, answer])
        }
      }
    })
  })

  it('are of a form that the kernel takes, however many rules there are', async () => {
    const many = (ruleFor: (index: number) => string) =>
      Array.from({ length: 2000 }, (_, index) => ruleFor(index))
    expect(await apply(many((index) => `allow b 8:${index} rw`))).toMatchObject([{ errno: 0 }])
    expect(await apply(many((index) => `allow c ${index}:* r`))).toMatchObject([{ errno: 0 }])
    expect(await apply(many((index) => `allow a ${index % 40}:${index} m`))).toMatchObject([{ errno: 0 }])
    await apply(['allow b 4294967294:4294967294 r', 'allow c *:3 w'])
    expect(await names()).toHaveLength(1)
  })

  describe('there is exactly one', () => {
    it(`after ${UPDATES} updates`, async () => {
      for (let update = 0; update < UPDATES; update += 1) await apply(update % 2 === 0 ? NULL : ZERO)
      expect(await names()).toEqual([nameOf(ZERO)])
    })

    it('after a restart: the same rules load nothing, and others take its place', async () => {
      await apply(NULL)
      const before = await session.programs()
      restart()
      expect(await apply(NULL)).toEqual([])
      expect(await session.programs()).toEqual(before)
      await apply(ZERO)
      restart()
      await apply(NULL)
      expect(await names()).toEqual([nameOf(NULL)])
    })

    it('after another process has gone on with it', async () => {
      await apply(NULL)
      const said = runChildWithout([], 'device-rules-once.ts', [
        basename(home.path),
        JSON.stringify(session.memory),
        NULL.join(', '),
        ZERO.join(', '),
      ])
      expect(JSON.parse(said)).toMatchObject({ done: 1, errors: [] })
      expect(await names()).toEqual([nameOf(ZERO)])
    })

    it('after a crash between the loading and the writing down of its id', async () => {
      await apply(ZERO)
      const plan = await session.plan(rules(...NULL))
      const [operation] = operationsOf(plan)
      if (operation?.kind !== 'device-program') throw new Error('nothing was planned')
      const { replaces, program } = operation
      await session.execute(plan)
      session.memory = { attached: replaces, loading: program }
      restart()
      expect(await apply(NULL)).toEqual([])
      await apply(ZERO)
      expect(await names()).toEqual([nameOf(ZERO)])
    })

    it('while the rules stay the same', async () => {
      const [first] = await apply(NULL)
      expect(await apply(NULL)).toEqual([])
      expect(await apply([...NULL, 'allow c 1:3 r'])).toEqual([])
      expect(await session.programs()).toEqual([{ id: first?.programId, name: nameOf(NULL) }])
    })

    it('again after somebody has taken it off', async () => {
      await apply(NULL)
      const other = newSession(session.memory)
      await other.apply(null)
      other.close()
      await apply(NULL)
      expect(await names()).toEqual([nameOf(NULL)])
    })
  })

  describe('beside those of others', () => {
    it('leave them where they are, and need their consent', async () => {
      const resident = await enter()
      attachForeign('deny')
      await apply(ZERO)
      await apply(NULL)
      await apply(ZERO)
      expect(await names()).toEqual(['somebody', nameOf(ZERO)])
      expect(await resident.tries('read', '/dev/zero')).toBe('EPERM')
      await session.apply(null)
      expect(await names()).toEqual(['somebody'])
    })

    it('leave one with the very name of ours alone', async () => {
      attachForeign('allow', nameOf(NULL))
      const [twin] = await session.programs()
      await apply(NULL)
      await apply(ZERO)
      expect(await session.programs()).toEqual([twin, expect.objectContaining({ name: nameOf(ZERO) })])
    })

    it('are refused where one of them tolerates no other', async () => {
      expect(attachForeign('allow', 'alone', 0)).toBe(0)
      await expect(apply(NULL)).rejects.toMatchObject({
        code: 'ERR_VMCG_FOREIGN_PROGRAM',
        path: home.directory(),
      })
      expect(session.memory).toBeNull()
    })
  })

  describe('where the plan was made before somebody else attached another', () => {
    /** The answer that the simulated kernel gives, and the real one's. */
    async function answers(plan: Plan): Promise<{ simulated: number; real: number }> {
      const [operation] = operationsOf(plan) as readonly SetDeviceProgram[]
      const { hierarchies } = await session.look()
      const chain = pathChain(home.path)
        .toReversed()
        .map((path) => ({ path, programs: hierarchies[0]?.cgroups[path]?.devicePrograms }))
      if (operation === undefined) throw new Error('nothing was planned')
      const [outcome] = await session.execute(plan)
      return { simulated: programErrno(operation, chain), real: outcome?.errno ?? -1 }
    }

    it.each([
      ['exclusive', 0, 1],
      ['to be overridden', 1, 1],
      ['beside others', 2, 0],
    ])('on the same cgroup, %s', async (_, flags, errno) => {
      const plan = await session.plan(rules(...NULL))
      attachForeign('allow', 'somebody', flags)
      expect(await answers(plan)).toEqual({ simulated: errno, real: errno })
    })

    it('in the last place', async () => {
      const plan = await session.plan(rules(...NULL))
      for (let count = 0; count < 64; count += 1) {
        const other = newSession()
        await other.apply(rules(...ZERO))
        other.close()
        if (count === 62) expect(await names()).toHaveLength(63)
      }
      expect(await answers(plan)).toEqual({ simulated: 7, real: 7 })
      await expect(apply(NULL)).rejects.toMatchObject({ code: 'ERR_VMCG_FOREIGN_PROGRAM' })
    })

    it('and took ours off', async () => {
      await apply(ZERO)
      const plan = await session.plan(rules(...NULL))
      const other = newSession(session.memory)
      await other.apply(null)
      other.close()
      expect(await answers(plan)).toEqual({ simulated: 2, real: 2 })
      const [outcome] = await session.execute(plan)
      expect(outcome?.cause).toMatchObject({ code: 'ENOENT', path: home.directory() })
    })
  })

  describe('without capabilities', () => {
    const applyWithout = (without: readonly string[], ...lists: readonly (readonly string[])[]) => {
      const memory = JSON.stringify(session.memory)
      const args = [basename(home.path), memory, ...lists.map((list) => list.join(', '))]
      return JSON.parse(runChildWithout(without, 'device-rules-once.ts', args))
    }

    it.each([
      [['sys_admin', 'bpf'], 'CAP_BPF'],
      [['sys_admin', 'net_admin'], 'CAP_NET_ADMIN'],
      [['net_admin'], 'CAP_NET_ADMIN'],
      [['sys_admin', 'net_admin', 'bpf'], 'CAP_BPF CAP_NET_ADMIN'],
    ])('are refused before the first write (without %p)', async (without, value) => {
      const { done, errors } = applyWithout(without, NULL)
      expect(done).toBe(0)
      expect(errors).toEqual([expect.objectContaining({ code: 'ERR_VMCG_NO_CAPABILITY', value })])
      expect(await session.programs()).toEqual([])
    })

    it('are loaded and replaced by one process with CAP_BPF and CAP_NET_ADMIN', async () => {
      expect(applyWithout(['sys_admin'], NULL, ZERO, NULL)).toMatchObject({ done: 3, errors: [] })
      expect(await names()).toEqual([nameOf(NULL)])
    })

    it('are loaded and replaced with CAP_SYS_ADMIN in place of CAP_BPF', async () => {
      expect(applyWithout(['bpf'], NULL, ZERO)).toMatchObject({ done: 2, errors: [] })
      expect(await names()).toEqual([nameOf(ZERO)])
    })

    it('are known again without CAP_SYS_ADMIN, but not replaced', async () => {
      await apply(NULL)
      const { done, errors } = applyWithout(['sys_admin'], NULL, ZERO)
      expect(done).toBe(0)
      expect(errors).toEqual([
        expect.objectContaining({ code: 'ERR_VMCG_NO_CAPABILITY', value: 'CAP_SYS_ADMIN' }),
      ])
      expect(await names()).toEqual([nameOf(NULL)])
    })
  })
})
