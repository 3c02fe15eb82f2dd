import { adoptionScene } from './adopting.mjs'

/** @type {import('../trial.mjs').Trial} */
export const loop = {
  name: 'loop',
  what: 'the longest that the event loop is away while VMs are adopted, as in `adopt`',
  unit: 'µs',
  axis: 'VMs',
  drivers: ['vmcg', 'node-fs'],
  cases: () =>
    [10, 500].map((size) => ({ name: `${size} VMs`, size, ...(size >= 100 && { repetitions: 7 }) })),
  scene: (stage, { size }) => adoptionScene(stage, size),
}
