import * as fc from 'fast-check'
import { formatCpuList, isSubset, MAX_CPU, parseCpuList } from '../../src/model/cpu-list'
import { forAll } from '../support/for-all'

describe('parseCpuList', () => {
  it.each([
    ['', []],
    ['\n', []],
    ['0', [0]],
    ['0-3', [0, 1, 2, 3]],
    ['0-3,8\n', [0, 1, 2, 3, 8]],
    ['8,0-3', [0, 1, 2, 3, 8]],
    ['1,1,0-2', [0, 1, 2]],
    ['5-5', [5]],
    ['007', [7]],
    ['8191', [8191]],
  ])('reads %p', (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus)
  })

  it.each([
    ['5-1', '5-1', 'runs backwards'],
    ['0,1-2-3', '1-2-3', 'neither a number nor a range'],
    ['0-4294967295', '0-4294967295', 'beyond CPU 8191'],
    ['8192', '8192', 'beyond CPU 8191'],
    ['9999-0', '9999-0', 'beyond CPU 8191'],
    ['0, 1', ' 1', 'neither'],
    [' 0', ' 0', 'neither'],
    ['0 -1', '0 -1', 'neither'],
    ['a', 'a', 'neither'],
    ['-1', '-1', 'neither'],
    ['1-', '1-', 'neither'],
    ['0x1', '0x1', 'neither'],
    ['0-7:1/2', '0-7:1/2', 'neither'],
    ['0\n\n', '0\\n', 'neither'],
    [',', '', 'empty piece'],
    ['0,,1', '', 'empty piece'],
    ['0,', '', 'empty piece'],
    ['all', 'all', 'neither'],
  ])('refuses %p and names the piece', (text, piece, why) => {
    expect(() => parseCpuList(text)).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_INVALID_ARGUMENT',
        message: expect.stringMatching(new RegExp(`^"${piece.replaceAll('\\', '\\\\')}" .*${why}`)),
      }),
    )
  })

  it('either reads a text or refuses it, and nothing in between', () => {
    const texts = fc
      .array(fc.constantFrom('0', '1', '9', '8191', '-', ',', ' ', '\n', 'a'))
      .map((all) => all.join(''))
    forAll(texts, (text) => {
      let cpus: number[]
      try {
        cpus = parseCpuList(text)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_VMCG_INVALID_ARGUMENT' })
        return
      }
      expect(parseCpuList(formatCpuList(cpus))).toEqual(cpus)
    })
  })

  it('gives each CPU once, however often the text repeats it', () => {
    expect(parseCpuList(Array(10_000).fill(`0-${MAX_CPU}`).join(','))).toHaveLength(MAX_CPU + 1)
  })
})

describe('formatCpuList', () => {
  it.each([
    [[], ''],
    [[0], '0'],
    [[3, 1, 2, 0, 8], '0-3,8'],
    [[0, 1], '0-1'],
    [[7, 5, 5], '5,7'],
    [[8190, 8191], '8190-8191'],
  ])('writes %p as %p', (cpus, text) => {
    expect(formatCpuList(cpus)).toBe(text)
  })

  it.each([-1, 1.5, 8192, Number.NaN, Number.POSITIVE_INFINITY])('refuses %p', (cpu) => {
    expect(() => formatCpuList([0, cpu])).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
    )
  })

  it('writes what parseCpuList reads back: the same CPUs, ascending', () => {
    forAll(fc.array(fc.integer({ min: 0, max: MAX_CPU })), (cpus) => {
      const read = parseCpuList(formatCpuList(cpus))
      expect(read).toEqual([...new Set(cpus)].sort((a, b) => a - b))
    })
  })
})

describe('isSubset', () => {
  it.each([
    ['1-2', '0-3', true],
    ['0-3', '0-3', true],
    ['', '0', true],
    ['', '', true],
    ['0-4', '0-3', false],
    ['0', '', false],
  ])('%p of %p: %p', (part, whole, answer) => {
    expect(isSubset(part, whole)).toBe(answer)
  })
})
