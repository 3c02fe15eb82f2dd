import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { killAll } from '../../src/engine/kill'

const children: ChildProcess[] = []

function child(): number {
  const started = spawn('sleep', ['60'], { stdio: 'ignore' })
  children.push(started)
  if (started.pid === undefined) throw new Error('sleep cannot be started')
  return started.pid
}

const isThere = (pid: number) => existsSync(`/proc/${pid}`)

afterEach(() => {
  jest.restoreAllMocks()
  for (const started of children.splice(0)) started.kill('SIGKILL')
})

it('kills until a look finds nobody', async () => {
  const [first, later] = [child(), child()]
  const ended = children.map((started) => once(started, 'exit'))
  const seen = [[first], [later], []]
  await killAll(async () => seen.shift() ?? [], 'sandbox vm1', {})
  const exits = await Promise.all(ended)
  expect(exits.map(([, signal]) => signal)).toEqual(['SIGKILL', 'SIGKILL'])
})

it('does nothing where nobody is', async () => {
  const kill = jest.spyOn(process, 'kill')
  await killAll(async () => [], 'sandbox vm1', {})
  expect(kill).not.toHaveBeenCalled()
})

it('takes those that have ended already for killed', async () => {
  const pid = child()
  const ended = children.map((started) => once(started, 'exit'))
  children[0]?.kill('SIGKILL')
  await Promise.all(ended)
  const seen = [[pid], []]
  await killAll(async () => seen.shift() ?? [], 'sandbox vm1', {})
})

it('refuses before anybody is killed when this process is itself inside', async () => {
  const pid = child()
  await expect(killAll(async () => [pid, process.pid], 'sandbox vm1', {})).rejects.toMatchObject({
    code: 'ERR_VMCG_BUSY',
    value: String(process.pid),
  })
  expect(isThere(pid)).toBe(true)
})

it('never signals id 0 or below, which would be whole groups of processes', async () => {
  const kill = jest.spyOn(process, 'kill').mockReturnValue(true)
  const seen = [[0, -1], []]
  await killAll(async () => seen.shift() ?? [], 'sandbox vm1', {})
  expect(kill).not.toHaveBeenCalled()
})

it('says whose process it may not kill', async () => {
  jest.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' })
  })
  await expect(killAll(async () => [12345], 'sandbox vm1', {})).rejects.toMatchObject({
    name: 'VmcgError',
    code: 'EPERM',
    syscall: 'kill',
    value: '12345',
  })
})

it('gives up on those that do not end within five seconds', async () => {
  let now = 0
  jest.spyOn(performance, 'now').mockImplementation(() => now)
  jest.spyOn(process, 'kill').mockReturnValue(true)
  const look = async () => {
    now += 2000
    return [12345]
  }
  await expect(killAll(look, 'sandbox vm1', {})).rejects.toMatchObject({
    code: 'ERR_VMCG_BUSY',
    value: '12345',
    hint: 'cat /proc/12345/stack',
  })
})

it('rejects with the reason of an abort', async () => {
  jest.spyOn(process, 'kill').mockReturnValue(true)
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  await expect(killAll(async () => [12345], 'sandbox vm1', { signal })).rejects.toBe(reason)
})

it('sends another signal than SIGKILL once, without a second look', async () => {
  const kill = jest.spyOn(process, 'kill').mockReturnValue(true)
  const look = jest.fn(async () => [12345])
  await killAll(look, 'sandbox vm1', { killSignal: 'SIGTERM' })
  expect(kill.mock.calls).toEqual([[12345, 'SIGTERM']])
  expect(look).toHaveBeenCalledTimes(1)
})

it('signals all others before it says whom it may not kill', async () => {
  const kill = jest.spyOn(process, 'kill').mockImplementation((pid) => {
    if (pid === 11111) throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' })
    return true
  })
  await expect(killAll(async () => [11111, 22222], 'sandbox vm1', {})).rejects.toMatchObject({
    code: 'EPERM',
    value: '11111',
  })
  expect(kill.mock.calls.map(([pid]) => pid)).toEqual([11111, 22222])
})

it('lets go of what is frozen after each round of signals', async () => {
  const steps: string[] = []
  jest.spyOn(process, 'kill').mockImplementation((pid) => {
    steps.push(`kill ${pid}`)
    return true
  })
  const seen = [[1111], [2222], []]
  const release = async () => {
    steps.push('release')
  }
  await killAll(async () => seen.shift() ?? [], 'sandbox vm1', { release })
  expect(steps).toEqual(['kill 1111', 'release', 'kill 2222', 'release'])
})
