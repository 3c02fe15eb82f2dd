import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { freeze as freezeSomewhere, freezerState as stateSomewhere } from '../../src/engine/freezer'
import type { FreezeOptions } from '../../src/engine/freezer-state'
import { freeze, freezerState, thaw } from '../../src/engine/freezer-v2'
import { detectHost } from '../../src/host/detect'
import { describeWith } from '../support/require'
import { hasLeftCpu, SPIN, ticksOf, waitFor } from '../support/residents'
import { patience } from '../support/scale'
import { ownUnifiedPath, UnifiedHome } from '../support/unified-home'

let home: UnifiedHome

beforeEach(() => {
  home = new UnifiedHome()
})
afterEach(() => home.clear())

const freezeIt = (options: FreezeOptions = {}, path = home.path) =>
  freeze(home.roots, home.hierarchies, path, options)
const thawIt = (path = home.path) => thaw(home.roots, home.hierarchies, path)
const stateOf = (path = home.path) => freezerState(home.roots, home.hierarchies, path)

describeWith(['root', 'unified'], 'a cgroup of v2 that is frozen', () => {
  test('does nothing any more, and goes on when it is thawed', async () => {
    const { pid } = await home.run(SPIN)
    await home.run(['sleep', '60'])
    await waitFor('the loop to run', () => ticksOf(pid) > 0)
    await freezeIt()
    expect(home.says('frozen 1')).toBe(true)
    await waitFor('the loop to leave the CPU', () => hasLeftCpu(pid))
    const ticks = ticksOf(pid)
    await sleep(100)
    expect(ticksOf(pid)).toBe(ticks)
    await thawIt()
    expect(home.says('frozen 0')).toBe(true)
    await waitFor('the loop to go on', () => ticksOf(pid) > ticks)
  })

  test('holds the cgroups below it as well, and says so there', async () => {
    const below = `${home.path}/below`
    home.make(below)
    const { pid } = await home.run(SPIN, below)
    await freezeIt()
    expect(await stateOf()).toEqual({ state: 'FROZEN', isSelfFreezing: true, isParentFreezing: false })
    expect(await stateOf(below)).toEqual({ state: 'FROZEN', isSelfFreezing: false, isParentFreezing: true })
    await waitFor('the loop to leave the CPU', () => hasLeftCpu(pid))
    const ticks = ticksOf(pid)
    await sleep(50)
    expect(ticksOf(pid)).toBe(ticks)
  })

  test('can be frozen again, and thawed twice', async () => {
    await home.run(['sleep', '60'])
    await freezeIt()
    await freezeIt()
    expect(home.says('frozen 1')).toBe(true)
    await thawIt()
    await thawIt()
    expect(await stateOf()).toEqual({ state: 'THAWED', isSelfFreezing: false, isParentFreezing: false })
  })

  test('may be empty', async () => {
    await freezeIt()
    expect(await stateOf()).toMatchObject({ state: 'FROZEN' })
  })

  test('cannot be thawed while one above it is frozen, which is named', async () => {
    const below = `${home.path}/middle/below`
    home.make(`${home.path}/middle`)
    home.make(below)
    await freezeIt({}, below)
    await freezeIt()
    const above = home.directory()
    await expect(thawIt(below)).rejects.toMatchObject({
      code: 'ERR_VMCG_BUSY',
      message: expect.stringContaining(`stays frozen as long as ${above} above it`),
      hint: `echo 0 > ${above}/cgroup.freeze`,
    })
    await thawIt()
    expect(home.says('frozen 0', below)).toBe(true)
  })
})

describeWith(['root', 'unified', 'python'], 'a threaded subtree', () => {
  test('is frozen at its root with all of its threads', async () => {
    const leaf = `${home.path}/vcpu`
    const { pid, busy } = await home.runTwoThreads()
    home.makeThreaded(leaf)
    home.write('cgroup.threads', busy, leaf)
    await freezeIt()
    expect(home.says('frozen 1', leaf)).toBe(true)
    expect(await stateOf(leaf)).toEqual({ state: 'FROZEN', isSelfFreezing: false, isParentFreezing: true })
    await waitFor('the loop to leave the CPU', () => hasLeftCpu(pid))
    const ticks = ticksOf(pid)
    await sleep(50)
    expect(ticksOf(pid)).toBe(ticks)
    await thawIt()
    await waitFor('the thread to go on', () => ticksOf(pid) > ticks)
  })

  test('can have one of its leaves frozen alone', async () => {
    const leaf = `${home.path}/vcpu`
    const { busy } = await home.runTwoThreads()
    home.makeThreaded(leaf)
    home.write('cgroup.threads', busy, leaf)
    await freezeIt({}, leaf)
    expect(await stateOf(leaf)).toEqual({ state: 'FROZEN', isSelfFreezing: true, isParentFreezing: false })
    expect(await stateOf()).toEqual({ state: 'THAWED', isSelfFreezing: false, isParentFreezing: false })
    await thawIt(leaf)
  })
})

describeWith(['root', 'unified', 'python'], 'what is hard to freeze on v2', () => {
  test('is frozen when it forks all the time', async () => {
    await home.resistInside(['fork', '4'])
    await freezeIt()
    expect(home.says('frozen 1')).toBe(true)
    const pids = home.pids()
    expect(pids.length).toBeGreaterThanOrEqual(5)
    await sleep(50)
    expect(home.pids()).toEqual(pids)
  })

  test('is frozen while a signal has it stopped', async () => {
    const { pid } = await home.run(['sleep', '60'])
    process.kill(pid, 'SIGSTOP')
    await freezeIt()
    expect(home.says('frozen 1')).toBe(true)
  })
})

describeWith(['root', 'unified', 'python', 'userfaultfd'], 'a thread that cannot be frozen on v2', () => {
  test('is named alone, and all others run again', async () => {
    const { pid } = await home.resist(['fault'])
    const spinner = await home.run(SPIN)
    await home.run(['sleep', '60'])
    await expect(freezeIt()).rejects.toMatchObject({
      name: 'CgroupError',
      code: 'ERR_VMCG_BUSY',
      path: `${home.directory()}/cgroup.freeze`,
      message: expect.stringMatching(
        new RegExp(`within 2000 ms and is thawed again: thread ${pid} \\(python3`),
      ),
      value: String(pid),
    })
    expect(await stateOf()).toMatchObject({ state: 'THAWED', isSelfFreezing: false })
    const ticks = ticksOf(spinner.pid)
    await waitFor('the others to go on', () => ticksOf(spinner.pid) > ticks)
  })

  test('is found at a thread root that the kernel calls frozen for what is below it', async () => {
    const leaf = `${home.path}/vcpu`
    const { pid } = await home.resist(['fault'])
    home.makeThreaded(leaf)
    await home.run(['sleep', '60'], leaf)
    const refusal = expect(freezeIt({ timeoutMs: patience(1000) })).rejects.toMatchObject({
      code: 'ERR_VMCG_BUSY',
      value: String(pid),
    })
    await waitFor('the kernel to call it frozen', () => home.says('frozen 1'))
    expect(await stateOf()).toMatchObject({ state: 'FREEZING' })
    await refusal
  })

  test('leaves the cgroup FREEZING until it is thawed', async () => {
    await home.resist(['fault'])
    home.write('cgroup.freeze', 1)
    expect(await stateOf()).toEqual({ state: 'FREEZING', isSelfFreezing: true, isParentFreezing: false })
  })

  test('lets an abort through, and all run again', async () => {
    await home.resist(['fault'])
    const reason = new Error('enough')
    const aborter = new AbortController()
    const freezing = freezeIt({ timeoutMs: 30_000, signal: aborter.signal })
    await waitFor('the freezer to begin', () => home.read('cgroup.freeze') === '1')
    aborter.abort(reason)
    await expect(freezing).rejects.toBe(reason)
    expect(home.read('cgroup.freeze')).toBe('0')
  })
})

describeWith(['root', 'unified'], 'a cgroup of v2 that may not or cannot be frozen', () => {
  test('is one that this process is in, however deep, and nothing is written', async () => {
    const below = `${home.path}/below`
    home.make(below)
    // Should it be frozen all the same, nobody here could end that.
    const guard = spawn('sh', ['-c', `sleep 5; echo 0 > ${home.directory()}/cgroup.freeze`], {
      stdio: 'ignore',
    })
    const before = ownUnifiedPath()
    home.write('cgroup.procs', process.pid, below)
    const refusal = freezeIt().finally(() => home.write('cgroup.procs', process.pid, before))
    await expect(refusal).rejects.toMatchObject({ code: 'ERR_VMCG_BUSY', value: String(process.pid) })
    guard.kill()
    expect(home.read('cgroup.freeze')).toBe('0')
  })

  test('is one that is not there', async () => {
    const gone = `${home.path}/gone`
    const path = `${home.directory(gone)}/cgroup.freeze`
    for (const act of [() => freezeIt({}, gone), () => thawIt(gone), () => stateOf(gone)]) {
      await expect(act()).rejects.toMatchObject({ name: 'CgroupError', code: 'ENOENT', errno: -2, path })
    }
  })

  test.each(['/', '', '/..', '/vc/'])('is %j', async (path) => {
    for (const act of [() => freezeIt({}, path), () => thawIt(path), () => stateOf(path)]) {
      await expect(act()).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_PATH', value: path })
    }
  })

  test('is any, where v2 is not mounted', async () => {
    const others = detectHost().hierarchies.filter(({ version }) => version === 1)
    await expect(freeze(home.roots, others, home.path)).rejects.toMatchObject({
      code: 'ERR_VMCG_NO_CONTROLLER',
      message: expect.stringMatching(/^cgroup v2 is not mounted; there is: /),
    })
  })
})

describeWith(['root', 'unified'], 'whoever does not say which freezer', () => {
  test('gets that of v2 where v1 has none', async () => {
    const { hierarchies } = detectHost()
    const withoutV1 = hierarchies.filter(({ controllers }) => !controllers.includes('freezer'))
    await freezeSomewhere(home.roots, withoutV1, home.path)
    expect(home.says('frozen 1')).toBe(true)
    expect(await stateSomewhere(home.roots, withoutV1, home.path)).toMatchObject({ state: 'FROZEN' })
  })

  test('is told that there is none where there is none', async () => {
    await expect(freezeSomewhere(home.roots, [], home.path)).rejects.toMatchObject({
      code: 'ERR_VMCG_NO_CONTROLLER',
      message: 'the freezer controller is not mounted; there is: none',
    })
  })
})
