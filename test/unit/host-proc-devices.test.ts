import { blockDriverMajor } from '../../src/host/proc-devices'

const TEXT = `Character devices:
  1 mem
 10 misc
252 device-mapper

Block devices:
  7 loop
  8 sd
253 zram
254 device-mapper
259 blkext
`

it('finds the number that this kernel gave to a driver', () => {
  expect(blockDriverMajor(TEXT, 'device-mapper')).toBe(254)
  expect(blockDriverMajor(TEXT, 'loop')).toBe(7)
})

it('finds nothing for a driver that is not there, or has character devices only', () => {
  expect(blockDriverMajor(TEXT, 'misc')).toBeUndefined()
  expect(blockDriverMajor(TEXT, 'mapper')).toBeUndefined()
  expect(blockDriverMajor('Character devices:\n  1 mem\n', 'mem')).toBeUndefined()
})
