import { Crew } from '../crew/crew.mjs'

/** @type {import('../trial.mjs').Trial} */
export const enumerate = {
  name: 'enumerate',
  what: 'the threads of a process, with the name and the start time of each',
  unit: 'µs per thread',
  axis: 'threads',
  drivers: ['floor', 'vmcg', 'node-fs'],
  cases: () =>
    [16, 256, 1_000, 4_000, 16_000].map((size) => ({ name: `${size.toLocaleString('en')} threads`, size })),
  scene: async (stage, { size }) => {
    const crew = await Crew.start(stage, [], { vcpus: size - 1 })
    const start = { args: crew.vms.map(({ pid }) => String(pid)), words: String(size) }
    return {
      drivers: { floor: start, vmcg: start, 'node-fs': start },
      measure: async (driver) => Number(await driver.ask('run')) / size,
    }
  },
}
