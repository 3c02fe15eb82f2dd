// Only what differs is written, and nothing is denied in between that both rule sets allow.

import { CgroupManager } from 'vmcg'
import { serve } from '../serve.mjs'

/** @import { LinuxDeviceCgroup } from 'vmcg' */

/** @param {string} list @returns {LinuxDeviceCgroup[]} */
function rulesOf(list) {
  return list.split(',').map((text) => {
    const allow = text.startsWith('+')
    const [, device, access = 'rwm'] = text.slice(1).split(' ')
    if (device === undefined) return { allow, type: 'a', access }
    const [major = 0, minor = 0] = device.split(':').map(Number)
    return { allow, type: 'c', major, minor, access }
  })
}

/** @type {CgroupManager | undefined} */
let manager
await serve(async ([parent = '', stateDir = ''], words) => {
  const sets = words
    .join(' ')
    .split('|')
    .map((list) => ({ devices: rulesOf(list) }))
  const own = await CgroupManager.create({ cgroupsPath: `${parent}/kata_vm`, stateDir, resources: sets[0] })
  manager = own
  await own.apply()
  return {
    run: async (set) => {
      await own.apply(sets[Number(set)])
    },
  }
})
await manager?.destroy()
manager?.close()
