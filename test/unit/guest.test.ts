import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spinRom } from '../../guest/spin-rom'
import { describeWith } from '../support/require'

const SOURCE = join(__dirname, '..', '..', 'guest', 'spin.asm')

describe('the spinning guest', () => {
  test('is a 64 KiB image that jumps into segment F000 at the reset vector', () => {
    const rom = spinRom()
    expect(rom).toHaveLength(65536)
    expect(rom.subarray(0xfff0, 0xfff5).toString('hex')).toBe('ea0c0000f0')
  })

  test('is a new copy for each caller, so that one may patch its own', () => {
    spinRom().fill(0xff)
    expect(spinRom()[0]).toBe(0xeb)
  })
})

describeWith(['nasm'], 'the kept bytes of the spinning guest', () => {
  test('are what its source assembles to', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcg-test-guest-'))
    try {
      const image = join(folder, 'spin.rom')
      execFileSync('nasm', ['-w-number-overflow', '-f', 'bin', '-DROM', '-o', image, SOURCE])
      expect(readFileSync(image).equals(spinRom())).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
