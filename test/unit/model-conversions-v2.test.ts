import * as fc from 'fast-check'
import { blkioWeightToIoWeight, cpuSharesToWeight, swapLimitV2 } from '../../src/index'
import { forAll } from '../support/for-all'

const refusal = (code: string) => expect.objectContaining({ code })

describe('cpuSharesToWeight', () => {
  it.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [3, 2],
    [8, 3],
    [102, 17],
    [512, 59],
    [1000, 99],
    [1024, 100],
    [1025, 101],
    [2048, 174],
    [22_000, 1204],
    [100_000, 4340],
    [262_143, 10_000],
    [262_144, 10_000],
    [10 ** 9, 10_000],
  ])('makes of %d shares a weight of %d', (shares, weight) => {
    expect(cpuSharesToWeight(shares)).toBe(weight)
  })

  it('never gives more shares less weight', () => {
    forAll(fc.tuple(fc.integer({ min: 1, max: 300_000 }), fc.nat(1000)), ([shares, more]) => {
      expect(cpuSharesToWeight(shares + more)).toBeGreaterThanOrEqual(cpuSharesToWeight(shares))
    })
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses %d', (shares) => {
    expect(() => cpuSharesToWeight(shares)).toThrow(refusal('ERR_VMCG_INVALID_ARGUMENT'))
  })
})

describe('blkioWeightToIoWeight', () => {
  it.each([
    [0, 0],
    [1, 1],
    [10, 1],
    [11, 11],
    [50, 405],
    [100, 910],
    [300, 2930],
    [500, 4950],
    [750, 7475],
    [999, 9989],
    [1000, 10_000],
    [5000, 10_000],
  ])('makes %2$d of %1$d', (weight, converted) => {
    expect(blkioWeightToIoWeight(weight)).toBe(converted)
  })

  it('refuses what is no weight', () => {
    expect(() => blkioWeightToIoWeight(-1)).toThrow(refusal('ERR_VMCG_INVALID_ARGUMENT'))
  })
})

describe('swapLimitV2', () => {
  it.each([
    [undefined, undefined, undefined],
    [4096, undefined, undefined],
    [4096, 0, undefined],
    [-1, undefined, -1],
    [-1, 0, -1],
    [4096, -1, -1],
    [undefined, -1, -1],
    [-1, 8192, 8192],
    [4096, 4096, 0],
    [4096, 12_288, 8192],
  ])('of memory %p with memory and swap %p is %p', (limit, swap, expected) => {
    expect(swapLimitV2(limit, swap)).toBe(expected)
  })

  it.each([
    [undefined, 4096, 'ERR_VMCG_INVALID_ARGUMENT'],
    [0, 4096, 'ERR_VMCG_INVALID_ARGUMENT'],
    [-2, 4096, 'ERR_VMCG_INVALID_ARGUMENT'],
    [4096, 0.5, 'ERR_VMCG_INVALID_ARGUMENT'],
    [4096, 4095, 'ERR_VMCG_OUT_OF_RANGE'],
  ])('refuses memory %p with memory and swap %p', (limit, swap, code) => {
    expect(() => swapLimitV2(limit, swap)).toThrow(refusal(code))
  })
})
