import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readProcessCgroups } from '../../src/host/process'
import { isAlive, isUnified } from '../support/cgroups'
import { describeWhere, describeWith } from '../support/require'
import { waitFor } from '../support/residents'

// The unit files of docs/systemd.md, with a program of ours.

const run = promisify(execFile)
const ROOT = join(__dirname, '..', '..')
const PREFIX = `vmcg-test-${process.pid}`
const SERVICE = `${PREFIX}-vms.service`
/** Without dashes: it is at the root. */
const SLICE = `vmcgtest${process.pid}.slice`
const UNIT_FILE = `/run/systemd/system/${SERVICE}`

/** Loads the sandbox, or makes it with a VM in it; says who the VM is, and waits to be stopped. */
const PROGRAM = `
const { readFileSync, writeFileSync, mkdirSync } = require('node:fs')
const { Sandbox } = require(${JSON.stringify(join(ROOT, 'dist', 'index.js'))})

function delegated() {
  const own = readFileSync('/proc/self/cgroup', 'utf8').trim().split('::')[1]
  mkdirSync('/sys/fs/cgroup' + own + '/main')
  writeFileSync('/sys/fs/cgroup' + own + '/main/cgroup.procs', String(process.pid))
  return own
}

async function main([folder, given]) {
  const place = { stateDir: folder + '/state', parent: given === 'own' ? delegated() : given }
  const containers = [{ id: 'c', spec: { linux: { resources: { cpu: { quota: 50000, period: 100000 } } } } }]
  let sandbox, pid
  try {
    sandbox = await Sandbox.load('vm', place)
    pid = readFileSync(folder + '/vm', 'utf8')
    await sandbox.apply()
  } catch (error) {
    if (error.code !== 'ERR_VMCG_DESTROYED') throw error
    sandbox = await Sandbox.create({ id: 'vm', containers, ...place })
    pid = (await sandbox.launch('sleep', ['infinity'], { stdio: 'ignore' })).pid
    writeFileSync(folder + '/vm', String(pid))
  }
  writeFileSync(folder + '/ready', process.pid + ' ' + pid + ' ' + sandbox.paths.sandbox + '\\n')
  setInterval(() => undefined, 60000)
}

main(process.argv.slice(2))
`

/** The unit files that the page shows, in its order. */
function unitFiles(): string[] {
  const page = readFileSync(join(ROOT, 'docs', 'systemd.md'), 'utf8')
  return [...page.matchAll(/```ini\n([^`]*)```/g)].map(([, text]) => text ?? '')
}

describeWith(['root', 'cgroups', 'systemd'], 'a service that uses vmcg, by the unit file of the docs', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmcg-test-service-'))
    writeFileSync(join(folder, 'main.js'), PROGRAM)
  })

  afterEach(async () => {
    await run('systemctl', ['stop', SERVICE, SLICE])
    await run('systemctl', ['reset-failed', `${PREFIX}*`])
    rmSync(UNIT_FILE)
    await run('systemctl', ['daemon-reload'])
    rmSync(folder, { recursive: true })
  })

  async function start(unitFile: string | undefined, parent: string): Promise<void> {
    const command = `${process.execPath} ${folder}/main.js ${folder} ${parent}`
    const text = unitFile?.replace(/^ExecStart=.*$/m, `ExecStart=${command}`)
    if (text === undefined || !text.includes(command)) throw new Error('the page has no such unit file')
    writeFileSync(UNIT_FILE, text)
    await run('systemctl', ['daemon-reload'])
    await run('systemctl', ['start', SERVICE])
  }

  /** Once the program has come so far. */
  async function ready(): Promise<{ own: number; vm: number; sandbox: string }> {
    const file = join(folder, 'ready')
    const read = () => {
      try {
        return readFileSync(file, 'utf8')
      } catch {
        return ''
      }
    }
    await waitFor('the service', () => read().endsWith('\n'))
    const [own, vm, sandbox = ''] = read().trim().split(' ')
    rmSync(file)
    return { own: Number(own), vm: Number(vm), sandbox }
  }

  const pathsOf = (pid: number) => (readProcessCgroups(pid) ?? []).map(({ path }) => path)

  test('has each VM in a unit of its own, which goes on when the service is started anew', async () => {
    await start(unitFiles()[0], SLICE)
    const first = await ready()
    expect(first.sandbox).toBe(`/${SLICE}/vmcg-vm.scope/vm`)
    await run('systemctl', ['restart', SERVICE])
    const second = await ready()
    expect(second.own).not.toBe(first.own)
    expect(second).toMatchObject({ vm: first.vm, sandbox: first.sandbox })
    expect(isAlive(first.vm)).toBe(true)
    expect(pathsOf(first.vm)).toContain(first.sandbox)
  })

  describeWhere(isUnified(), 'a host with cgroup v2 alone', 'that has its VMs below itself', () => {
    test('is left alone below itself by a reload, and ends with its VM', async () => {
      await start(unitFiles()[1], 'own')
      const { vm, sandbox } = await ready()
      expect(sandbox).toBe(`/system.slice/${SERVICE}/vm`)
      const limit = () => readFileSync(`/sys/fs/cgroup${sandbox}/vcpu/cpu.max`, 'utf8')
      expect(limit()).toBe('50000 100000\n')
      await run('systemctl', ['daemon-reload'])
      expect(limit()).toBe('50000 100000\n')
      expect(pathsOf(vm)).toEqual([sandbox])
      await run('systemctl', ['stop', SERVICE])
      await waitFor('the end of the VM', () => !isAlive(vm))
    })
  })
})
