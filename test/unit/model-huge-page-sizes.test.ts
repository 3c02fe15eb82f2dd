import { refuseMissingSizes } from '../../src/model/resources/huge-page-size'

const limit = (pageSize: string) => ({ pageSize, limit: 0 })

it('refuses a size of huge pages that the host has not, by its place in the list', () => {
  expect(() => refuseMissingSizes([limit('2MB'), limit('4MB')], ['2MB', '1GB'])).toThrow(
    expect.objectContaining({
      code: 'ERR_VMCG_UNSUPPORTED',
      message: expect.stringContaining('hugepageLimits[1].pageSize'),
      hint: 'it has 2MB and 1GB',
    }),
  )
})

it.each([
  ['all are there', [limit('1GB')], ['2MB', '1GB']],
  ['the host has no huge pages at all: its controllers tell', [limit('2MB')], []],
  ['one is no size at all: its own rule tells', [limit('2048KB'), limit('../x')], ['2MB']],
  ['none is limited', [], ['2MB']],
])('refuses nothing where %s', (_, limits, sizes) => {
  expect(() => refuseMissingSizes(limits, sizes)).not.toThrow()
})
