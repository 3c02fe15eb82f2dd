import { spawnSync } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import spinGuest from '../../guest/spin-rom.js'
import { EXIT_CANNOT_RUN, Failure } from './failures.mjs'

/** vCPUs at the start, and slots for them. */
const SMP = '4,maxcpus=6'
const QEMU = 'qemu-system-x86_64'
const SPINVM = fileURLToPath(new URL('../../build/Release/vmcg-spinvm', import.meta.url))

/**
 * @typedef {object} Vmm
 * @property {string} name
 * @property {string} why it was chosen
 * @property {string} program
 * @property {readonly string[]} args
 */

/**
 * QEMU where there is one, the embedded VMM otherwise; `VMCG_DEMO_VMM=qemu|spinvm` overrules that. Both run a guest
 * that keeps its vCPUs busy, have one iothread, and listen for QMP.
 *
 * @param {string} dir for the files that the VMM needs
 * @param {string} socket where it shall listen
 * @returns {Vmm}
 * @throws {Failure} when the one that was asked for is not there
 */
export function chooseVmm(dir, socket) {
  const wanted = process.env['VMCG_DEMO_VMM'] ?? ''
  if (!['', 'qemu', 'spinvm'].includes(wanted)) {
    throw new Failure(`VMCG_DEMO_VMM is qemu or spinvm, not ${wanted}`, EXIT_CANNOT_RUN)
  }
  if (wanted === 'spinvm') return spinvm(socket, 'VMCG_DEMO_VMM asks for it')
  const program = findOnPath(QEMU)
  if (program !== undefined) return qemu(program, dir, socket)
  if (wanted === 'qemu') {
    throw new Failure(`VMCG_DEMO_VMM asks for QEMU, and ${QEMU} is not on the PATH`, EXIT_CANNOT_RUN)
  }
  return spinvm(socket, `${QEMU} is not on the PATH`)
}

/**
 * @param {string} program
 * @param {string} dir
 * @param {string} socket
 * @returns {Vmm}
 */
function qemu(program, dir, socket) {
  const rom = join(dir, 'spin.rom')
  writeFileSync(rom, spinGuest.spinRom())
  const refusal = whyNoKvm()
  const accelerator = refusal === undefined ? 'kvm' : 'tcg,thread=multi'
  return {
    name: `QEMU with ${refusal === undefined ? 'KVM' : 'TCG'} (${program})`,
    why: `${QEMU} is on the PATH and ${refusal ?? '/dev/kvm opens'}`,
    ...dyingWithParent(program, [
      ...['-name', 'guest=vmcg-demo,debug-threads=on'],
      ...['-accel', accelerator, '-smp', SMP, '-m', '32', '-bios', rom],
      ...['-nodefaults', '-no-user-config', '-display', 'none'],
      ...['-object', 'iothread,id=iothread0'],
      // vmcg needs a monitor that nobody else uses: QEMU serves one client on each.
      ...['-qmp', `unix:${socket},server=on,wait=off`],
    ]),
  }
}

/**
 * @param {string} socket
 * @param {string} why
 * @returns {Vmm}
 */
function spinvm(socket, why) {
  const args = ['--smp', SMP, '--iothread', 'iothread0', '--qmp', socket]
  args.push('--die-with-parent', String(process.pid))
  return { name: 'the embedded VMM (vmcg-spinvm)', why, program: SPINVM, args }
}

/** @returns {string | undefined} undefined where KVM can be used */
function whyNoKvm() {
  if (process.arch !== 'x64') return `KVM runs no x86 guest on ${process.arch}`
  try {
    closeSync(openSync('/dev/kvm', 'r+'))
    return undefined
  } catch (error) {
    return `/dev/kvm does not open (${/** @type {NodeJS.ErrnoException} */ (error).code})`
  }
}

/**
 * Lets the kernel kill the program when this process is killed, where setpriv(1) can ask for that.
 *
 * @param {string} program
 * @param {readonly string[]} args
 */
function dyingWithParent(program, args) {
  const options = ['--pdeathsig', 'KILL', '--']
  const isThere = spawnSync('setpriv', [...options, 'true']).status === 0
  return isThere ? { program: 'setpriv', args: [...options, program, ...args] } : { program, args }
}

/** @param {string} program */
function findOnPath(program) {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
