import { type KillCgroupOptions, killCgroup } from '../../src/engine/kill-cgroup'
import { isAlive } from '../support/cgroups'
import { describeWith } from '../support/require'
import { hasTrap, Residence, SPIN, waitFor } from '../support/residents'

const SLEEP = ['sleep', '60']

let home: Residence

beforeEach(() => {
  home = new Residence('freezer', 'pids')
})
afterEach(() => home.clear())

const killIt = (options: KillCgroupOptions = {}, path = home.path) =>
  killCgroup(home.roots, home.hierarchies, path, options)

describeWith(['root', 'cgroup-v1', 'freezer-v1'], 'a cgroup that is killed', () => {
  test('is empty and thawed, and its processes have ended by SIGKILL', async () => {
    const residents = [await home.run(SPIN), await home.run(SLEEP)]
    await killIt()
    expect(await Promise.all(residents.map(({ ended }) => ended))).toEqual(['SIGKILL', 'SIGKILL'])
    expect(home.pids('freezer')).toEqual([])
    expect(home.state).toBe('THAWED')
  })

  test('loses the processes of the cgroups below it as well', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const { ended } = await home.run(SLEEP, below)
    await killIt()
    expect(await ended).toBe('SIGKILL')
  })

  test('may be frozen', async () => {
    const { ended } = await home.run(SLEEP)
    home.write('freezer', 'freezer.state', 'FROZEN')
    await killIt()
    expect(await ended).toBe('SIGKILL')
    expect(home.state).toBe('THAWED')
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
    expect(home.pids('pids')).toEqual([neighbour.pid])
  })

  test('needs no freezer', async () => {
    const { ended } = await home.run(SLEEP)
    const pidsOnly = home.hierarchies.filter(({ id }) => id === 'pids')
    await killCgroup(home.roots, pidsOnly, home.path)
    expect(await ended).toBe('SIGKILL')
  })
})

describeWith(['root', 'cgroup-v1', 'freezer-v1', 'python'], 'what is hard to kill', () => {
  test('ends though it forks all the time', async () => {
    const { ended } = await home.resistInside(['fork', '8'])
    await killIt()
    expect(await ended).toBe('SIGKILL')
    expect(home.pids('pids')).toEqual([])
  })

  test('may take its time to end, and leaves the cgroup thawed', async () => {
    const { ended } = await home.resist(['heavy'])
    await killIt()
    expect(await ended).toBe('SIGKILL')
    expect(home.state).toBe('THAWED')
  })
})

describeWith(
  ['root', 'cgroup-v1', 'freezer-v1', 'python', 'userfaultfd'],
  'a thread that cannot be frozen',
  () => {
    test('is killed all the same', async () => {
      const { ended } = await home.resist(['fault'])
      await killIt()
      expect(await ended).toBe('SIGKILL')
    })
  },
)

describeWith(['root', 'cgroup-v1', 'freezer-v1'], 'another signal than SIGKILL', () => {
  test('goes once to everybody, and nobody is waited for', async () => {
    const deaf = await home.run(['sh', '-c', 'trap "" TERM; while :; do :; done'])
    const obedient = await home.run(SLEEP)
    await waitFor('the trap to be set', () => hasTrap(deaf.pid, 'SIGTERM'))
    await killIt({ killSignal: 'SIGTERM' })
    expect(await obedient.ended).toBe('SIGTERM')
    expect(isAlive(deaf.pid)).toBe(true)
  })

  test('leaves frozen what is frozen, which gets it when it is thawed', async () => {
    const { pid, ended } = await home.run(SLEEP)
    home.write('freezer', 'freezer.state', 'FROZEN')
    await killIt({ killSignal: 15 })
    expect(home.state).toBe('FROZEN')
    expect(isAlive(pid)).toBe(true)
    home.write('freezer', 'freezer.state', 'THAWED')
    expect(await ended).toBe('SIGTERM')
  })

  test.each(['SIGNOT', 0, 4096, -9] as unknown[])('must exist: %p does not', async (killSignal) => {
    const { pid } = await home.run(SLEEP)
    const options: KillCgroupOptions = {}
    Reflect.set(options, 'killSignal', killSignal)
    await expect(killIt(options)).rejects.toMatchObject({
      code: 'ERR_VMCG_INVALID_ARGUMENT',
      value: String(killSignal),
    })
    expect(isAlive(pid)).toBe(true)
  })
})

describeWith(['root', 'cgroup-v1', 'freezer-v1'], 'a cgroup that may not or cannot be killed', () => {
  test('is one that this process is in: nobody is killed, and what is frozen stays so', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const { pid } = await home.run(SLEEP)
    home.write('pids', 'cgroup.procs', process.pid, below)
    home.write('freezer', 'freezer.state', 'FROZEN')
    const killing = killIt().finally(() => home.write('pids', 'cgroup.procs', process.pid, '/'))
    await expect(killing).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY', value: String(process.pid) })
    expect(isAlive(pid)).toBe(true)
    expect(home.state).toBe('FROZEN')
  })

  test('is one below a frozen one, which is named; the signals take effect when that is thawed', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const { ended } = await home.run(SLEEP, below)
    home.write('freezer', 'freezer.state', 'FROZEN')
    await expect(killIt({}, below)).rejects.toMatchObject({
      code: 'ERR_VMCG_BUSY',
      message: expect.stringContaining(`as long as ${home.directory('freezer')} above it`),
    })
    home.write('freezer', 'freezer.state', 'THAWED')
    expect(await ended).toBe('SIGKILL')
  })

  test.each(['/', '', '/..', '//'])('is %j', async (path) => {
    const kill = jest.spyOn(process, 'kill').mockReturnValue(true)
    await expect(killIt({}, path)).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_PATH' })
    expect(kill).not.toHaveBeenCalled()
    kill.mockRestore()
  })
})
