import { execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FreezeOptions } from '../../src/engine/freezer-state'
import { freeze, freezerState, thaw } from '../../src/engine/freezer-v1'
import { describeWith } from '../support/require'
import { Residence, SPIN, ticksOf, waitFor } from '../support/residents'

let home: Residence

beforeEach(() => {
  home = new Residence('freezer')
})
afterEach(() => home.clear())

const freezeIt = (options: FreezeOptions = {}, path = home.path) =>
  freeze(home.roots, home.hierarchies, path, options)
const thawIt = (path = home.path) => thaw(home.roots, home.hierarchies, path)
const stateOf = (path = home.path) => freezerState(home.roots, home.hierarchies, path)

describeWith(['root', 'cgroup-v1', 'freezer-v1'], 'a cgroup that is frozen', () => {
  test('does nothing any more, and goes on when it is thawed', async () => {
    const { pid } = await home.run(SPIN)
    await home.run(['sleep', '60'])
    await waitFor('the loop to run', () => ticksOf(pid) > 0)
    await freezeIt()
    expect(home.state).toBe('FROZEN')
    const ticks = ticksOf(pid)
    await sleep(100)
    expect(ticksOf(pid)).toBe(ticks)
    await thawIt()
    expect(home.state).toBe('THAWED')
    await waitFor('the loop to go on', () => ticksOf(pid) > ticks)
  })

  test('holds the cgroups below it as well, and says so there', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const { pid } = await home.run(SPIN, below)
    await freezeIt()
    expect(await stateOf()).toEqual({ state: 'FROZEN', isSelfFreezing: true, isParentFreezing: false })
    expect(await stateOf(below)).toEqual({ state: 'FROZEN', isSelfFreezing: false, isParentFreezing: true })
    const ticks = ticksOf(pid)
    await sleep(50)
    expect(ticksOf(pid)).toBe(ticks)
  })

  test('can be frozen again, and thawed twice', async () => {
    await home.run(['sleep', '60'])
    await freezeIt()
    await freezeIt()
    expect(home.state).toBe('FROZEN')
    await thawIt()
    await thawIt()
    expect(await stateOf()).toEqual({ state: 'THAWED', isSelfFreezing: false, isParentFreezing: false })
  })

  test('may be empty', async () => {
    await freezeIt()
    expect(home.state).toBe('FROZEN')
  })

  test('cannot be thawed while one above it is frozen, which is named', async () => {
    const below = `${home.path}/middle/below`
    home.make(`${home.path}/middle`)
    home.make(below)
    await freezeIt({}, below)
    await freezeIt()
    const above = home.directory('freezer')
    await expect(thawIt(below)).rejects.toMatchObject({
      code: 'ERR_VMCG_BUSY',
      message: expect.stringContaining(`stays frozen as long as ${above} above it`),
      hint: `echo THAWED > ${above}/freezer.state`,
    })
    await thawIt()
    expect(home.read('freezer', 'freezer.state', below)).toBe('THAWED')
  })
})

describeWith(['root', 'cgroup-v1', 'freezer-v1', 'python'], 'what is hard to freeze', () => {
  test('is frozen when it forks all the time', async () => {
    await home.resistInside(['fork', '4'])
    await freezeIt()
    expect(home.state).toBe('FROZEN')
    const pids = home.pids('freezer')
    expect(pids.length).toBeGreaterThanOrEqual(5)
    await sleep(50)
    expect(home.pids('freezer')).toEqual(pids)
  })

  test('is frozen by another try when it waits in vfork', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-fifo-'))
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    try {
      const { ended } = await home.resist(['vfork', fifo])
      await freezeIt()
      expect(home.state).toBe('FROZEN')
      await thawIt()
      closeSync(openSync(fifo, 'r+'))
      await ended
    } finally {
      closeSync(openSync(fifo, 'r+'))
      rmSync(folder, { recursive: true })
    }
  })

  test('is tried once even without time to wait', async () => {
    await freezeIt({ timeoutMs: 0 })
    expect(home.state).toBe('FROZEN')
  })
})

describeWith(
  ['root', 'cgroup-v1', 'freezer-v1', 'python', 'userfaultfd'],
  'a thread that cannot be frozen',
  () => {
    test('is named, and all others run again', async () => {
      const { pid } = await home.resist(['fault'])
      const spinner = await home.run(SPIN)
      home.write('freezer', 'freezer.state', 'FROZEN')
      await sleep(50)
      expect(home.state).toBe('FREEZING')
      await expect(freezeIt({ timeoutMs: 300 })).rejects.toMatchObject({
        name: 'CgroupError',
        code: 'ERR_VMCG_BUSY',
        path: `${home.directory('freezer')}/freezer.state`,
        message: expect.stringMatching(
          new RegExp(`within 300 ms and is thawed again: .*thread ${pid} \\(python3`),
        ),
        // On a busy host there may be others that have had no time to stop.
        value: expect.stringMatching(`\\b${pid}\\b`),
      })
      expect(await stateOf()).toMatchObject({ state: 'THAWED', isSelfFreezing: false })
      const ticks = ticksOf(spinner.pid)
      await waitFor('the others to go on', () => ticksOf(spinner.pid) > ticks)
    })

    test('lets an abort through, and all run again', async () => {
      await home.resist(['fault'])
      const reason = new Error('enough')
      const aborter = new AbortController()
      const freezing = freezeIt({ timeoutMs: 30_000, signal: aborter.signal })
      await waitFor('the freezer to begin', () => home.read('freezer', 'freezer.self_freezing') === '1')
      aborter.abort(reason)
      await expect(freezing).rejects.toBe(reason)
      expect(home.state).toBe('THAWED')
    })
  },
)

describeWith(['root', 'cgroup-v1', 'freezer-v1'], 'a cgroup that may not or cannot be frozen', () => {
  test('is one that this process is in, however deep, and nothing is written', async () => {
    const below = `${home.path}/below`
    home.make(below)
    // Should it be frozen all the same, nobody here could end that.
    const watchdog = `sleep 5; echo THAWED > ${home.directory('freezer')}/freezer.state`
    const guard = spawn('sh', ['-c', watchdog], { stdio: 'ignore' })
    home.write('freezer', 'cgroup.procs', process.pid, below)
    const refusal = freezeIt().finally(() => home.write('freezer', 'cgroup.procs', process.pid, '/'))
    await expect(refusal).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY', value: String(process.pid) })
    guard.kill()
    expect(home.read('freezer', 'freezer.self_freezing')).toBe('0')
  })

  test('is one that is not there', async () => {
    const gone = `${home.path}/gone`
    const path = `${home.directory('freezer', gone)}/freezer.state`
    for (const act of [() => freezeIt({}, gone), () => thawIt(gone), () => stateOf(gone)]) {
      await expect(act()).rejects.toMatchObject({ name: 'CgroupError', code: 'ENOENT', errno: -2, path })
    }
  })

  test.each(['/', '', '/..', '//', '/.', '/vc/', 'vc', '/vc/../x'])('is %j', async (path) => {
    for (const act of [() => freezeIt({}, path), () => thawIt(path), () => stateOf(path)]) {
      await expect(act()).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_PATH', value: path })
    }
  })

  test('is any, where no freezer is mounted', async () => {
    const others = home.hierarchies.filter(({ id }) => id === 'pids')
    await expect(freeze(home.roots, others, home.path)).rejects.toMatchObject({
      code: 'ERR_VMCG_NO_CONTROLLER',
      message: expect.stringMatching(/^the freezer controller is not mounted; there is: pids at \//),
    })
  })
})
