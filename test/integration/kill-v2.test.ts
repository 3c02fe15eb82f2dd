import { existsSync } from 'node:fs'
import { type KillCgroupOptions, killCgroup } from '../../src/engine/kill-cgroup'
import { isAlive } from '../support/cgroups'
import { describeWith } from '../support/require'
import { hasTrap, Residence, SPIN, waitFor } from '../support/residents'
import { ownUnifiedPath, UnifiedHome } from '../support/unified-home'

const SLEEP = ['sleep', '60']

let home: UnifiedHome

beforeEach(() => {
  home = new UnifiedHome()
})
afterEach(() => home.clear())

const killIt = (options: KillCgroupOptions = {}, path = home.path) =>
  killCgroup(home.roots, home.hierarchies, path, options)

describeWith(['root', 'unified'], 'a cgroup of v2 that is killed', () => {
  test('is empty, and its processes have ended by SIGKILL', async () => {
    const residents = [await home.run(SPIN), await home.run(SLEEP)]
    await killIt()
    expect(home.says('populated 0')).toBe(true)
    expect(await Promise.all(residents.map(({ ended }) => ended))).toEqual(['SIGKILL', 'SIGKILL'])
  })

  test('loses the processes of the cgroups below it as well', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const { ended } = await home.run(SLEEP, below)
    await killIt()
    expect(await ended).toBe('SIGKILL')
  })

  test('may be frozen, and is thawed then', async () => {
    const { ended } = await home.run(SLEEP)
    home.write('cgroup.freeze', 1)
    await killIt()
    expect(await ended).toBe('SIGKILL')
    expect(home.read('cgroup.freeze')).toBe('0')
  })

  test('may be below a frozen one, which stays so', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const { ended } = await home.run(SLEEP, below)
    home.write('cgroup.freeze', 1)
    await killIt({}, below)
    expect(await ended).toBe('SIGKILL')
    expect(home.read('cgroup.freeze')).toBe('1')
  })

  test('may be empty, or not there', async () => {
    await killIt()
    await killIt({}, `${home.path}/gone`)
  })

  test('leaves everybody else alone', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const neighbour = await home.run(SLEEP)
    const { ended } = await home.run(SLEEP, below)
    await killIt({}, below)
    expect(await ended).toBe('SIGKILL')
    expect(isAlive(neighbour.pid)).toBe(true)
  })
})

describeWith(['root', 'unified', 'python'], 'a threaded subtree that is killed', () => {
  test('at its root ends with all of its processes', async () => {
    const leaf = `${home.path}/vcpu`
    const { busy, ended } = await home.runTwoThreads()
    home.makeThreaded(leaf)
    home.write('cgroup.threads', busy, leaf)
    await killIt()
    expect(await ended).toBe('SIGKILL')
    expect(home.says('populated 0')).toBe(true)
  })

  test('at a leaf ends with the processes that have a thread there, and no others', async () => {
    const leaf = `${home.path}/vcpu`
    const { busy, ended } = await home.runTwoThreads()
    const neighbour = await home.run(SLEEP)
    home.makeThreaded(leaf)
    home.write('cgroup.threads', busy, leaf)
    await killIt({}, leaf)
    expect(await ended).toBe('SIGKILL')
    expect(isAlive(neighbour.pid)).toBe(true)
    expect(home.read('cgroup.freeze', leaf)).toBe('0')
  })
})

describeWith(['root', 'unified', 'python'], 'what is hard to kill on v2', () => {
  test('ends though it forks all the time', async () => {
    const { ended } = await home.resistInside(['fork', '8'])
    await killIt()
    expect(await ended).toBe('SIGKILL')
    expect(home.says('populated 0')).toBe(true)
  })

  test('may take its time to end', async () => {
    const { ended } = await home.resist(['heavy'])
    await killIt()
    expect(home.says('populated 0')).toBe(true)
    expect(await ended).toBe('SIGKILL')
  })
})

describeWith(['root', 'unified', 'cgroup-v1'], 'a cgroup of v2 beside one of v1', () => {
  test('is killed in both, whichever of them a process is in', async () => {
    const beside = new Residence('cpu')
    home.make(beside.path)
    try {
      const residents = [await beside.run(SLEEP), await home.run(SLEEP, beside.path)]
      await killCgroup(beside.roots, beside.hierarchies, beside.path)
      expect(await Promise.all(residents.map(({ ended }) => ended))).toEqual(['SIGKILL', 'SIGKILL'])
    } finally {
      await beside.clear()
    }
  })
})

describeWith(['root', 'unified'], 'another signal than SIGKILL on v2', () => {
  test('goes once to everybody, and nobody is waited for', async () => {
    const deaf = await home.run(['sh', '-c', 'trap "" TERM; while :; do :; done'])
    const obedient = await home.run(SLEEP)
    await waitFor('the trap to be set', () => hasTrap(deaf.pid, 'SIGTERM'))
    await killIt({ killSignal: 'SIGTERM' })
    expect(await obedient.ended).toBe('SIGTERM')
    expect(isAlive(deaf.pid)).toBe(true)
  })

  test('leaves frozen what is frozen, which gets it when it is thawed if it does not end by it', async () => {
    const trapped = await home.run(['sh', '-c', 'trap "exit 7" TERM; while :; do :; done'])
    const { ended } = await home.run(SLEEP)
    await waitFor('the trap to be set', () => hasTrap(trapped.pid, 'SIGTERM'))
    home.write('cgroup.freeze', 1)
    await waitFor('the freezer', () => home.says('frozen 1'))
    await killIt({ killSignal: 15 })
    expect(await ended).toBe('SIGTERM')
    expect(home.read('cgroup.freeze')).toBe('1')
    expect(isAlive(trapped.pid)).toBe(true)
    home.write('cgroup.freeze', 0)
    expect(await trapped.ended).toBeNull()
  })
})

describeWith(['root', 'unified'], 'a cgroup of v2 that may not be killed', () => {
  test('is one that this process is in: nobody is killed, and what is frozen stays so', async () => {
    const [below, frozen] = [`${home.path}/below`, `${home.path}/frozen`]
    for (const path of [below, frozen]) home.make(path)
    const { pid } = await home.run(SLEEP, frozen)
    const before = ownUnifiedPath()
    home.write('cgroup.procs', process.pid, below)
    home.write('cgroup.freeze', 1, frozen)
    const killing = killIt().finally(() => home.write('cgroup.procs', process.pid, before))
    await expect(killing).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY', value: String(process.pid) })
    expect(isAlive(pid)).toBe(true)
    expect(home.read('cgroup.freeze', frozen)).toBe('1')
  })

  test.each(['/', '', '/..', '//'])('is %j', async (path) => {
    await expect(killIt({}, path)).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_PATH' })
    expect(existsSync(home.directory())).toBe(true)
  })
})
