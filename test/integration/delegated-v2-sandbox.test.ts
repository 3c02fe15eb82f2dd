import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { Sandbox } from '../../src/sandbox'
import { container } from '../support/bench'
import { readKnob, threadsIn } from '../support/cgroups'
import { describeWith } from '../support/require'
import { hypervisorOf, type StandIn, startStandIn } from '../support/stand-in'

const given = process.env['VMCG_DELEGATED'] ?? ''

describeWith(['delegated-v2', 'python'], 'the sandbox of a user who was given a part of the v2 tree', () => {
  let stateDir: string
  let parent: string
  let sandbox: Sandbox | undefined
  let vmm: StandIn

  beforeEach(async () => {
    const mountPoint = detectHost().hierarchies.find(({ version }) => version === 2)?.mountPoint ?? '/'
    parent = `/${relative(mountPoint, given)}/vmcg-test-sandboxes`
    stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
    vmm = await startStandIn()
  })
  afterEach(async () => {
    await vmm.kill()
    await sandbox?.destroy()
    rmSync(stateDir, { recursive: true, force: true })
  })

  test('holds the vCPUs of a VMM that was started inside, and gives it back', async () => {
    const vcpus = await vmm.start(2)
    sandbox = await Sandbox.create({
      id: 'vm',
      parent,
      stateDir,
      containers: [container({ quota: 30_000, period: 100_000 })],
    })
    await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
    const { placed, left } = await sandbox.apply()
    expect({ placed, left }).toEqual({ placed: [...vcpus].sort((a, b) => a - b), left: [] })
    const { sandbox: own, vcpu } = sandbox.paths
    expect(readKnob('cpu', vcpu, 'cpu.max')).toBe('30000 100000')
    expect(threadsIn(vcpu)).toEqual(placed)
    expect(threadsIn(own)).toContain(vmm.pid)
    expect((await sandbox.apply()).isChanged).toBe(false)
    const { moved } = await sandbox.destroy()
    expect(moved.map(({ tid }) => tid)).toEqual(expect.arrayContaining([vmm.pid, ...placed]))
  })

  test('takes nobody from outside, and says what that needs', async () => {
    sandbox = await Sandbox.create({ id: 'vm', parent, stateDir })
    await sandbox.apply()
    await expect(sandbox.add(1)).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringContaining('nearest cgroup above both'),
    })
  })
})
