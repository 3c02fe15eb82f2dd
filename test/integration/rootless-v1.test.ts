import { spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { detectHost } from '../../src/host/detect'
import { canWrite, rootless } from '../../src/host/rootless'
import { directory, freshPath, hierarchyOf } from '../support/cgroups'
import { runChild } from '../support/child-process'
import { describeWith } from '../support/require'

const NOBODY = 65_534
const EPERM = 1

let path: string

beforeEach(() => {
  path = freshPath()
  mkdirSync(directory('cpu', path))
})
afterEach(() => rmdirSync(directory('cpu', path)))

const asNobody = async (...paths: string[]): Promise<unknown> =>
  JSON.parse(await text(runChild('look-unprivileged.ts', ['cpu', ...paths]).stdout))

function giveAway(): void {
  const top = directory('cpu', path)
  for (const file of ['', '/cgroup.procs', '/tasks']) chownSync(`${top}${file}`, NOBODY, NOBODY)
}

describeWith(['root', 'cgroup-v1', 'public-checkout'], 'a user without root’s rights', () => {
  test('may write below what was given away, and nowhere else', async () => {
    const theirs = `${path}-theirs`
    mkdirSync(directory('cpu', theirs))
    giveAway()
    const paths = ['/', theirs, `${theirs}/below`, `${path}/below/it`, path]
    try {
      expect(await asNobody(...paths)).toMatchObject({
        isRootless: true,
        writable: [false, false, false, true, true],
      })
    } finally {
      rmdirSync(directory('cpu', theirs))
    }
  })

  test('may not use a cgroup whose list of processes was not given with the directory', async () => {
    chownSync(directory('cpu', path), NOBODY, NOBODY)
    expect(await asNobody(path)).toMatchObject({ writable: [false] })
  })

  test('may not use a cgroup whose list of threads was not given with that of processes', async () => {
    for (const file of ['', '/cgroup.procs']) chownSync(`${directory('cpu', path)}${file}`, NOBODY, NOBODY)
    expect(await asNobody(path)).toMatchObject({ writable: [false] })
  })

  // The kernel keeps user.* for cgroups since Linux 5.7; trusted.* needs CAP_SYS_ADMIN of the host.
  test('can sign a directory with an attribute of user.*, not of trusted.*', async () => {
    giveAway()
    expect(await asNobody(path)).toMatchObject({ errnos: [0, 0, EPERM, 0] })
  })
})

describeWith(['root', 'cgroup-v1', 'public-checkout'], 'a manager without root’s rights', () => {
  let stateDir: string

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
    chownSync(stateDir, NOBODY, NOBODY)
  })
  afterEach(() => rmSync(stateDir, { recursive: true }))

  const managed = async (): Promise<unknown> => {
    const { pid: deadPid } = spawnSync('true')
    const child = runChild('manage-unprivileged.ts', [`${path}/vm`, stateDir, String(deadPid)])
    return JSON.parse(await text(child.stdout))
  }
  const refusal = (code: string, words = '') => ({ code, message: expect.stringContaining(words) })

  test('limits in the hierarchies that were given to it, and says what it was not given', async () => {
    giveAway()
    expect(await managed()).toEqual({
      isAdded: true,
      isApplied: true,
      inside: [true],
      refusals: {
        memory: refusal('ERR_VMCG_NO_CONTROLLER', 'memory controller is mounted, but this user may not'),
        shares: refusal('ERR_VMCG_OUT_OF_RANGE', 'cpu.shares 1'),
        devices: refusal('ERR_VMCG_UNSUPPORTED', 'c 4:64 r'),
        created: refusal('ERR_VMCG_OUT_OF_RANGE', 'cpu.shares 1'),
        deadPid: refusal('ERR_VMCG_VM_GONE'),
        deadThread: refusal('ERR_VMCG_VM_GONE'),
        noPid: refusal('ERR_VMCG_INVALID_ARGUMENT', '-1'),
        freeze: refusal('ERR_VMCG_NO_CONTROLLER', 'freezer controller is mounted, but this user may not'),
      },
      removed: [`${hierarchyOf('cpu')}:${path}/kata_vm`],
    })
  })

  test('does nothing where nothing was given to it, also with the dead, but refuses what nobody could apply', async () => {
    expect(await managed()).toEqual({
      isAdded: false,
      isApplied: false,
      inside: [],
      refusals: {
        memory: null,
        shares: refusal('ERR_VMCG_OUT_OF_RANGE', 'cpu.shares 1'),
        devices: refusal('ERR_VMCG_UNSUPPORTED', 'c 4:64 r'),
        created: refusal('ERR_VMCG_OUT_OF_RANGE', 'cpu.shares 1'),
        deadPid: null,
        deadThread: null,
        noPid: refusal('ERR_VMCG_INVALID_ARGUMENT', '-1'),
        freeze: refusal('ERR_VMCG_NO_CONTROLLER', 'freezer controller is mounted, but this user may not'),
      },
      removed: [],
    })
  })
})

describeWith(['root', 'cgroup-v1'], 'root', () => {
  test('may write everywhere', async () => {
    const host = detectHost()
    const cpu = host.controller('cpu')
    if (cpu === undefined) throw new Error('there is no cpu hierarchy')
    expect(rootless(host)).toBe(false)
    expect(await canWrite(cpu, path)).toBe(true)
    expect(await canWrite(cpu, `${path}/below/it`)).toBe(true)
  })
})
