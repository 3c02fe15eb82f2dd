'use strict'

const { size, code, reset } = require('./spin-rom.json')

/** Where an x86 CPU begins, 16 bytes below the end of the ROM. */
const RESET_VECTOR = size - 16

/**
 * The spinning guest (`spin.asm`, assembled with `-DROM`) as a BIOS image: it keeps every vCPU busy, also one that
 * is hot-plugged later. Start it with `qemu-system-x86_64 -bios FILE`; port 0xE9 reads `B` and one `A` for each
 * further vCPU when they run.
 *
 * @returns {Buffer} 64 KiB, a new copy for each call
 */
function spinRom() {
  const rom = Buffer.alloc(size)
  rom.set(Buffer.from(code.join(''), 'base64'), 0)
  rom.set(Buffer.from(reset, 'base64'), RESET_VECTOR)
  return rom
}

module.exports = { spinRom }
