import type { VmcgError } from '../../src/errors'
import type { LinuxResources } from '../../src/model/generated/oci'
import { withoutMissingSizes } from '../../src/model/resources/huge-page-size'
import { throwUnsupported } from '../../src/model/resources/unsupported'

const limits = (...sizes: string[]): LinuxResources => ({
  hugepageLimits: sizes.map((pageSize) => ({ pageSize, limit: 0 })),
})

const unified = (...files: string[]): LinuxResources => ({
  unified: Object.fromEntries(files.map((file) => [file, '0'])),
})

const MISSING = [
  ['hugepageLimits[1].pageSize "4MB"', limits('2MB', '4MB'), limits('2MB')],
  [
    'unified "hugetlb.4MB.rsvd.max"',
    unified('hugetlb.1GB.max', 'hugetlb.4MB.rsvd.max'),
    unified('hugetlb.1GB.max'),
  ],
] as const

it.each(MISSING)('refuses a size of huge pages that the host has not: %s', (named, resources) => {
  expect(() => withoutMissingSizes(resources, () => ['2MB', '1GB'], throwUnsupported)).toThrow(
    expect.objectContaining({
      code: 'ERR_VMCG_UNSUPPORTED',
      message: expect.stringContaining(named),
      hint: 'it has 2MB and 1GB',
    }),
  )
})

it.each(MISSING)('tells of it and leaves it out where that is wished: %s', (named, resources, rest) => {
  const told: VmcgError[] = []
  expect(
    withoutMissingSizes(
      resources,
      () => ['2MB', '1GB'],
      (refusal) => told.push(refusal),
    ),
  ).toEqual(rest)
  expect(told.map(({ message }) => message)).toEqual([expect.stringContaining(named)])
})

it.each([
  ['all are there', limits('1GB'), ['2MB', '1GB']],
  ['the host has no huge pages at all: its controllers tell', limits('2MB'), []],
  ['one is no size at all: its own rule tells', limits('2048KB', '../x'), ['2MB']],
  ['none is limited', { unified: { 'memory.high': '5' } }, ['2MB']],
])('refuses nothing where %s', (_, resources, sizes) => {
  expect(withoutMissingSizes(resources, () => sizes, throwUnsupported)).toEqual(resources)
})
