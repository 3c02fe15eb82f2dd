import * as fc from 'fast-check'
import { mergeCpu } from '../../src/model/cpu-merge'
import { forAll } from '../support/for-all'

describe('the merged quota', () => {
  it('is the one container’s own', () => {
    expect(mergeCpu([{ quota: 20000, period: 100000 }])).toEqual({ quota: 20000, period: 100000 })
  })

  it("takes the kernel's own period where a container names none", () => {
    expect(mergeCpu([{ quota: 50000 }])).toEqual({ quota: 50000, period: 100000 })
    expect(mergeCpu([{ quota: 1000, period: 10000 }, { quota: 50000 }])).toEqual({
      quota: 6000,
      period: 10000,
    })
  })

  it('adds up in the period of the first container', () => {
    expect(
      mergeCpu([
        { quota: 5000, period: 10000 },
        { quota: 40, period: 100 },
      ]),
    ).toEqual({ quota: 9000, period: 10000 })
  })

  it('is exact where floating point loses a microsecond', () => {
    expect(
      mergeCpu([
        { quota: 50000, period: 100000 },
        { quota: 29000, period: 100000 },
      ]),
    ).toEqual({ quota: 79000, period: 100000 })
  })

  it('rounds down once, at the end: three thirds are a whole', () => {
    const third = { quota: 1000, period: 3000 }
    expect(mergeCpu([{ quota: 1000, period: 1000 }, third, third, third])).toEqual({
      quota: 2000,
      period: 1000,
    })
  })

  it('may pass one CPU', () => {
    const whole = { quota: 100000, period: 100000 }
    expect(mergeCpu([whole, whole, whole])).toEqual({ quota: 300000, period: 100000 })
  })

  it.each([
    ['nothing', {}],
    ['a quota of -1', { quota: -1, period: 100000 }],
    ['a quota of 0', { quota: 0, period: 100000 }],
    ['a period of 0', { quota: 1000, period: 0 }],
    ['a negative period', { quota: 1000, period: -1 }],
    ['no quota', { period: 100000 }],
  ])('ignores a container with %s by default, and is lifted by it with "uncap"', (_, unlimited) => {
    const limited = { quota: 30000, period: 50000 }
    for (const cpus of [
      [unlimited, limited],
      [limited, unlimited],
    ]) {
      expect(mergeCpu(cpus)).toEqual(limited)
      expect(mergeCpu(cpus, { unlimited: 'ignore' })).toEqual(limited)
      expect(mergeCpu(cpus, { unlimited: 'uncap' })).toEqual({})
    }
  })

  it('is absent without containers', () => {
    expect(mergeCpu([])).toEqual({})
    expect(mergeCpu([], { unlimited: 'uncap' })).toEqual({})
  })

  it.each([2 ** 53, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses %p instead of rounding it',
    (number) => {
      const invalid = expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' })
      expect(() => mergeCpu([{ quota: number, period: 100000 }])).toThrow(invalid)
      expect(() => mergeCpu([{ quota: 1000, period: number }])).toThrow(invalid)
      expect(() => mergeCpu([{ shares: number }])).toThrow(invalid)
    },
  )

  it('is refused when the sum is beyond 2^53', () => {
    const most = { quota: Number.MAX_SAFE_INTEGER, period: 100000 }
    expect(() => mergeCpu([most, { quota: 1, period: 100000 }])).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_OUT_OF_RANGE', value: '9007199254740992' }),
    )
    expect(mergeCpu([most])).toEqual(most)
  })
})

describe('the other members', () => {
  it('add up the shares of those that have them', () => {
    expect(mergeCpu([{ shares: 512 }, {}, { shares: 1024 }, { shares: 0 }])).toEqual({ shares: 1536 })
  })

  it('refuse shares beyond 2^53', () => {
    expect(() => mergeCpu([{ shares: Number.MAX_SAFE_INTEGER }, { shares: 1 }])).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_OUT_OF_RANGE' }),
    )
  })

  it('unite cpus and mems in canonical form', () => {
    expect(mergeCpu([{ cpus: '3,0-1', mems: '1' }, { cpus: '' }, { cpus: '2', mems: '0' }])).toEqual({
      cpus: '0-3',
      mems: '0-1',
    })
  })

  it('keep shares and cpus when an unlimited container lifts the quota', () => {
    expect(
      mergeCpu([{ quota: 1000, period: 1000, shares: 2, cpus: '1' }, {}], { unlimited: 'uncap' }),
    ).toEqual({
      shares: 2,
      cpus: '1',
    })
  })

  it('leave out what has no sum', () => {
    expect(mergeCpu([{ burst: 1000, realtimeRuntime: 1, realtimePeriod: 2, idle: 1 }])).toEqual({})
  })

  it('refuse a malformed list', () => {
    expect(() => mergeCpu([{ cpus: '0-' }])).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
    )
  })
})

it('refuses a misspelt option', () => {
  const options = JSON.parse('{"unlimited":"uncapped"}')
  expect(() => mergeCpu([], options)).toThrow(expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }))
})

describe('for any containers', () => {
  const limit = fc.record({
    quota: fc.integer({ min: 1, max: 10_000_000 }),
    period: fc.integer({ min: 1, max: 1_000_000 }),
  })
  const limits = fc.array(limit, { minLength: 1, maxLength: 20 })

  it('the ratio is never above the true sum, and below it by less than one unit', () => {
    forAll(limits, (cpus) => {
      const { quota = 0, period = 0 } = mergeCpu(cpus)
      // quota/period against the sum of q/p, both times the product of all periods.
      const product = cpus.reduce((all, cpu) => all * BigInt(cpu.period), 1n)
      const sum = cpus.reduce((all, cpu) => all + (BigInt(cpu.quota) * product) / BigInt(cpu.period), 0n)
      expect(BigInt(quota) * product <= sum * BigInt(period)).toBe(true)
      expect(BigInt(quota + 1) * product > sum * BigInt(period)).toBe(true)
    })
  })

  it('the order of the later ones does not matter', () => {
    const reordered = limits.chain((cpus) =>
      fc.tuple(fc.constant(cpus), fc.shuffledSubarray(cpus.slice(1), { minLength: cpus.length - 1 })),
    )
    forAll(reordered, ([cpus, later]) => {
      expect(mergeCpu([...cpus.slice(0, 1), ...later])).toEqual(mergeCpu(cpus))
    })
  })

  it('another first one changes the ratio by less than one unit of either period', () => {
    forAll(limits, (cpus) => {
      const { quota: qa = 0, period: pa = 0 } = mergeCpu(cpus)
      const { quota: qb = 0, period: pb = 0 } = mergeCpu(cpus.toReversed())
      const difference = BigInt(qa) * BigInt(pb) - BigInt(qb) * BigInt(pa)
      const unit = BigInt(Math.max(pa, pb))
      expect(-unit < difference && difference < unit).toBe(true)
    })
  })
})
