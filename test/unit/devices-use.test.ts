import {
  addDeviceUse,
  type DeviceUse,
  isDeviceInUse,
  removeDeviceUse,
} from '../../src/model/devices/device-use'
import { rule } from '../support/device-rules'

const path = '/dev/sda'
const disk = rule('allow b 8:0 rwm')

function uses(...owners: string[]): readonly DeviceUse[] {
  return owners.reduce<readonly DeviceUse[]>(
    (list, owner) => addDeviceUse(list, { owner, path, rule: disk }),
    [],
  )
}

it('keeps a device until all who added it have removed it', () => {
  const one = removeDeviceUse(uses('one', 'two'), { owner: 'one', rule: disk })
  expect(isDeviceInUse(one, disk)).toBe(true)
  const none = removeDeviceUse(one, { owner: 'two', rule: disk })
  expect(isDeviceInUse(none, disk)).toBe(false)
})

it('counts an owner once, with the access of the last time', () => {
  const readOnly = rule('allow b 8:0 r')
  const twice = addDeviceUse(uses('one'), { owner: 'one', path, rule: readOnly })
  expect(twice).toEqual([{ owner: 'one', path, rule: readOnly }])
  expect(removeDeviceUse(twice, { owner: 'one', rule: disk })).toEqual([])
})

it('gives a new list and leaves the old one alone', () => {
  const before = uses('one')
  addDeviceUse(before, { owner: 'two', path, rule: disk })
  removeDeviceUse(before, { owner: 'one', rule: disk })
  expect(before).toEqual([{ owner: 'one', path, rule: disk }])
})

it('refuses to remove what was not added for this owner', () => {
  const expected = expect.objectContaining({
    code: 'ERR_VMCG_INVALID_ARGUMENT',
    message: 'the device b 8:0 rwm was not added for "two"',
  })
  expect(() => removeDeviceUse(uses('one'), { owner: 'two', rule: disk })).toThrow(expected)
  expect(() => removeDeviceUse(uses('two'), { owner: 'two', rule: rule('allow b 8:1 r') })).toThrow(
    'the device b 8:1 r was not added for "two"',
  )
})
