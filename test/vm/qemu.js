'use strict'

const { spawn } = require('node:child_process')

/**
 * @typedef {'kvm' | 'tcg'} Accelerator
 *
 * @typedef {object} Boot
 * @property {import('./image').Image} image
 * @property {string} disk the second disk
 * @property {Accelerator} accelerator
 * @property {readonly string[]} kernel words for its command line
 * @property {'stdio' | { file: string }} console where the kernel's console is
 * @property {{ output: 'stdio' | { file: string }, report: { file: string } }} ports what the guest tells: the tests'
 *   output as it comes, and a line of JSON for each thing done
 */

const MEMORY_MIB = 2048
/** Of each guest. Some tests need two. */
const CPUS = 2

/**
 * Further words for the kernel. An emulated one takes its time from the HPET, which costs a system call and a way out of
 * the guest each time, and guards against flaws of processors that this one does not have: without both the tests take
 * a fifth less.
 *
 * @type {Readonly<Record<Accelerator, readonly string[]>>}
 */
const WORDS = { kvm: [], tcg: ['tsc=reliable', 'clocksource=tsc', 'mitigations=off', 'init_on_alloc=0'] }

/**
 * @param {Boot} boot
 * @returns {string[]} QEMU's arguments; neither disk is written to
 */
function bootArguments({ image, disk, accelerator, kernel, console, ports }) {
  return [
    ...machineArguments(accelerator),
    ...kernelArguments(image, ['root=/dev/vda', 'ro', ...WORDS[accelerator], ...kernel]),
    ...diskArguments(image.disk),
    ...diskArguments(disk),
    ...characterArguments('console', console),
    ...['-serial', 'chardev:console', '-device', 'virtio-serial-pci'],
    ...characterArguments('output', ports.output),
    ...['-device', 'virtserialport,chardev=output,name=vmcg.output'],
    ...characterArguments('report', ports.report),
    ...['-device', 'virtserialport,chardev=report,name=vmcg.report'],
  ]
}

/**
 * @param {import('./image').Image} image
 * @returns {string[]} for a boot that only comes to the kernel's first words, on stdout
 */
function probeArguments(image) {
  return [
    ...machineArguments('kvm'),
    ...kernelArguments(image, []),
    ...characterArguments('console', 'stdio'),
    ...['-serial', 'chardev:console'],
  ]
}

/** @param {Accelerator} accelerator */
function machineArguments(accelerator) {
  // Page tables of five levels take longer to walk where that is emulated.
  const [accel, cpu] = accelerator === 'kvm' ? ['kvm', 'host'] : ['tcg,thread=multi', 'max,la57=off']
  return [
    ...['-name', 'vmcg-test-guest', '-accel', accel, '-cpu', cpu, '-smp', `${CPUS}`, '-m', `${MEMORY_MIB}`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
  ]
}

/**
 * @param {import('./image').Image} image
 * @param {readonly string[]} words
 */
function kernelArguments(image, words) {
  // A panic ends QEMU, for it does not reboot. An emulated Linux locks up with virtual machines inside by KVM.
  const line = ['console=ttyS0', 'panic=-1', 'module_blacklist=kvm_amd,kvm_intel', ...words].join(' ')
  return ['-kernel', image.kernel, '-initrd', image.initrd, '-append', line]
}

/** @param {string} file */
function diskArguments(file) {
  const escaped = file.replaceAll(',', ',,')
  return ['-drive', `file=${escaped},if=virtio,format=raw,snapshot=on`]
}

/**
 * @param {string} id
 * @param {'stdio' | { file: string }} where
 */
function characterArguments(id, where) {
  if (where === 'stdio') return ['-chardev', `stdio,id=${id},signal=off`]
  return ['-chardev', `file,id=${id},path=${where.file.replaceAll(',', ',,')}`]
}

/**
 * Should this process die, the kernel ends QEMU.
 *
 * @param {readonly string[]} args
 * @param {import('node:child_process').StdioOptions} stdio
 */
function startQemu(args, stdio) {
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio })
}

module.exports = { bootArguments, probeArguments, startQemu }
