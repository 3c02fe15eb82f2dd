import * as fc from 'fast-check'
import {
  cfsBandwidth,
  MAX_PERIOD_US,
  MAX_QUOTA_US,
  MIN_PERIOD_US,
  MIN_QUOTA_US,
} from '../../src/model/cfs-bandwidth'
import { forAll } from '../support/for-all'

it.each([
  [50_000, 100_000],
  [1_000, 1_000],
  [1_000, 1_000_000],
  [17_592_186_044_415, 1_000_000],
  [123_457, 99_991],
])('leaves %p/%p as it is: the kernel takes it', (quota, period) => {
  expect(cfsBandwidth(quota, period)).toEqual({ quotaUs: quota, periodUs: period })
})

it.each([
  // quota, period, and what becomes of them
  [40, 100, 1_000, 2_500],
  [500, 1_000, 1_000, 2_000],
  [999, 1_000, 1_998, 2_000],
  [100, 100, 1_000, 1_000],
  [1, 1_000, 1_000, 1_000_000],
  [2_000_000, 2_000_000, 1_000_000, 1_000_000],
  [4_000_000, 2_000_000, 2_000_000, 1_000_000],
  [3_000, 1, 3_000_000, 1_000],
  [300_000, 7_000_000, 42_855, 999_950],
])('scales %p/%p to %p/%p', (quota, period, quotaUs, periodUs) => {
  expect(cfsBandwidth(quota, period)).toEqual({ quotaUs, periodUs })
})

it.each([
  [1, 1_001],
  [500, 1_000_000],
  [999_999, 1_000_001],
  [100_000, 3_333_333],
  [2 ** 44, 1_000],
])('refuses %p/%p, naming both numbers and the range', (quota, period) => {
  expect(() => cfsBandwidth(quota, period)).toThrow(
    expect.objectContaining({
      code: 'ERR_VMCG_OUT_OF_RANGE',
      message: expect.stringMatching(new RegExp(`${quota} us per ${period} us.*1000 us.*1000 to 1000000 us`)),
    }),
  )
})

it.each([0, -1, 0.5, 2 ** 53, Number.NaN])('refuses %p as a quota or period', (number) => {
  const invalid = expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' })
  expect(() => cfsBandwidth(number, 100_000)).toThrow(invalid)
  expect(() => cfsBandwidth(100_000, number)).toThrow(invalid)
})

it('keeps the ratio and comes out in range, or says that nothing does', () => {
  const pair = fc.record({
    quota: fc.integer({ min: 1, max: 5_000_000 }),
    period: fc.integer({ min: 1, max: 5_000_000 }),
  })
  forAll(pair, ({ quota, period }) => {
    let scaled: ReturnType<typeof cfsBandwidth>
    try {
      scaled = cfsBandwidth(quota, period)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_VMCG_OUT_OF_RANGE' })
      return
    }
    const { quotaUs, periodUs } = scaled
    expect(BigInt(quotaUs) * BigInt(period)).toBe(BigInt(quota) * BigInt(periodUs))
    expect(quotaUs).toBeGreaterThanOrEqual(MIN_QUOTA_US)
    expect(quotaUs).toBeLessThanOrEqual(MAX_QUOTA_US)
    expect(periodUs).toBeGreaterThanOrEqual(MIN_PERIOD_US)
    expect(periodUs).toBeLessThanOrEqual(MAX_PERIOD_US)
  })
})
