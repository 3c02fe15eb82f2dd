import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { spinRom } from '../../guest/spin-rom'
import { missing } from './require'
import { patience } from './scale'

/** What runs the guest of a QEMU, unless a test says which. */
export const ACCELERATOR = missing(['kvm']).length === 0 ? 'kvm' : 'tcg,thread=multi'

/** The name of a vCPU thread, whatever runs it. */
export const VCPU_NAME = /^CPU \d\/(?:KVM|TCG)$/

export function vcpuName(index: number): RegExp {
  return new RegExp(`^CPU ${index}/(?:KVM|TCG)$`)
}

export interface QemuSettings {
  /** Default: KVM where it opens. */
  readonly accel?: 'kvm' | 'tcg,thread=multi' | 'tcg,thread=single'
  /** vCPUs at the start; default 4. */
  readonly smp?: number
  /** How many vCPUs there can be after hotplug; default as many as at the start. */
  readonly maxcpus?: number
  /** Their ids are `iothread0`, `iothread1`, ...; default 0. */
  readonly iothreads?: number
  /** So many monitors of one client each; default 1. */
  readonly monitors?: number
  /** Options for each monitor, such as `',pretty=on'`. */
  readonly monitorOptions?: string
  /** In a pid namespace of its own. */
  readonly unshare?: boolean
  /** Further arguments, such as `['-S']`. */
  readonly args?: readonly string[]
}

export interface Qemu {
  /** QEMU's own process id on this host, also with `unshare`. */
  readonly pid: number
  /** The monitors' sockets, listening. */
  readonly sockets: readonly [string, ...string[]]
  /** A folder of this QEMU's own, removed by `kill`. */
  readonly dir: string
  /** Resolves when QEMU has ended, however that came; `dir` is still there. */
  readonly ended: Promise<void>
  /** Resolves when all vCPUs that it was started with run the spinning guest. */
  waitForSpin(): Promise<void>
  /** SIGKILL; resolves when QEMU has ended. Safe to call twice. */
  kill(): Promise<void>
}

/** Longer than any host needs; a test's own time limit should strike first. */
const START_TIMEOUT_MS = patience(60_000)

/**
 * Starts a real QEMU with the spinning guest. `kill` it in an `afterEach`; should this process die before, the kernel
 * kills it.
 *
 * Hot-unplug under TCG, and plugging a core-id again after its unplug, kill QEMU 7.2 by themselves.
 */
export async function startQemu(settings: QemuSettings = {}): Promise<Qemu> {
  const dir = mkdtempSync(join(tmpdir(), 'vmcg-test-qemu-'))
  const [first, ...others] = Array.from({ length: settings.monitors ?? 1 }, (_, n) =>
    join(dir, `qmp${n}.sock`),
  )
  if (first === undefined) throw new Error('a QEMU of a test needs a monitor')
  const sockets = [first, ...others] as const
  writeFileSync(join(dir, 'spin.rom'), spinRom())

  const [program, ...args] = commandLine(dir, sockets, settings)
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve()).once('error', () => resolve())
  })
  let pid = 0

  const kill = async (): Promise<void> => {
    signal(pid || child.pid)
    await ended
    rmSync(dir, { recursive: true, force: true })
  }
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!holds()) {
      if (hasEnded(child)) throw new Error(`QEMU ended before ${what}: ${stderr}`)
      if (Date.now() > deadline) throw new Error(`QEMU took too long until ${what}: ${stderr}`)
      await sleep(5)
    }
  }

  try {
    await once(child, 'spawn')
    await until('it listened', () => sockets.every(isListening))
    pid = settings.unshare === true ? onlyChildOf(child.pid) : (child.pid ?? 0)
  } catch (error) {
    await kill()
    throw error
  }
  const spinning = `B${'A'.repeat((settings.smp ?? 4) - 1)}`
  return {
    pid,
    sockets,
    dir,
    ended,
    kill,
    waitForSpin: () => until('its guest ran', () => readIfThere(join(dir, 'debugcon')).startsWith(spinning)),
  }
}

function commandLine(dir: string, sockets: readonly string[], settings: QemuSettings): [string, ...string[]] {
  const {
    accel = ACCELERATOR,
    smp = 4,
    maxcpus = smp,
    iothreads = 0,
    monitorOptions = '',
    unshare,
    args = [],
  } = settings
  return [
    ...(['setpriv', '--pdeathsig', 'KILL'] as const),
    ...(unshare === true ? ['unshare', '--pid', '--fork', '--kill-child'] : []),
    'qemu-system-x86_64',
    ...[
      '-name',
      'guest=vmcg-test,debug-threads=on',
      '-accel',
      accel,
      '-smp',
      `${smp},maxcpus=${maxcpus}`,
      '-m',
      '32',
    ],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-bios', join(dir, 'spin.rom')],
    ...['-debugcon', `file:${join(dir, 'debugcon')}`],
    ...sockets.flatMap((path, n) => [
      ...['-chardev', `socket,id=qmp${n},path=${path},server=on,wait=off`],
      ...['-mon', `chardev=qmp${n},mode=control${monitorOptions}`],
    ]),
    ...Array.from({ length: iothreads }, (_, n) => ['-object', `iothread,id=iothread${n}`]).flat(),
    ...args,
  ]
}

/** A connection would do as well, but a monitor serves one client at a time: the test's own would have to wait. */
function isListening(path: string): boolean {
  const SO_ACCEPTCON = '00010000'
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .some((line) => line.endsWith(` ${path}`) && line.split(/\s+/)[3] === SO_ACCEPTCON)
}

function onlyChildOf(pid: number | undefined): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  const [child] = children
  if (child === undefined || children.length !== 1)
    throw new Error(`process ${pid} has the children ${children}`)
  return child
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function signal(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
