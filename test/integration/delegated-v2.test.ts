import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { canWrite, rootless } from '../../src/host/rootless'
import { describeWith } from '../support/require'

/** The cgroup that this user was given; this process is in a cgroup below. */
const given = process.env['VMCG_DELEGATED'] ?? ''
const own = `${given}/vmcg-test-own`

function moveInto(cgroup: string, pid: number | undefined): void {
  writeFileSync(`${cgroup}/cgroup.procs`, String(pid))
}

describeWith(['delegated-v2'], 'a user who was given a part of the v2 tree', () => {
  let child: ChildProcess

  beforeEach(async () => {
    mkdirSync(own)
    child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    await once(child, 'spawn')
  })

  afterEach(async () => {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    rmdirSync(own)
  })

  test('may write there and below, not beside or above', async () => {
    const host = detectHost()
    const [unified] = host.hierarchies.filter(({ version }) => version === 2)
    if (unified === undefined) throw new Error('no cgroup v2 is mounted')
    const path = `/${relative(unified.mountPoint, given)}`
    expect(rootless(host)).toBe(true)
    await expect(canWrite(unified, `${path}/vm`)).resolves.toBe(true)
    await expect(canWrite(unified, '/')).resolves.toBe(false)
    await expect(canWrite(unified, `${path}-beside`)).resolves.toBe(false)
    await expect(canWrite(unified, '/system.slice')).resolves.toBe(false)
  })

  test('moves and limits what was started inside', () => {
    moveInto(own, child.pid)
    expect(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8')).toMatch(/\/vmcg-test-own\n$/)
    writeFileSync(`${own}/pids.max`, '7')
    writeFileSync(`${own}/memory.max`, String(2 ** 26))
    expect(readFileSync(`${own}/pids.max`, 'utf8')).toBe('7\n')
    expect(readFileSync(`${own}/memory.max`, 'utf8')).toBe(`${2 ** 26}\n`)
  })

  test('can take in nobody from outside, and let nobody out', () => {
    expect(() => moveInto(own, 1)).toThrow(/EACCES|EPERM/)
    expect(() => moveInto('/sys/fs/cgroup/system.slice', child.pid)).toThrow(/EACCES|EPERM/)
  })
})
