/**
 * What each driver looks like in every chart, in the order of the legends. Ours stands out, the floor is black, and all
 * can be told apart also without colours.
 */
const STYLES = new Map([
  ['vmcg', { colour: '#d1495b', shape: 'circle' }],
  ['vmcg-engine', { colour: '#f0a3ad', shape: 'circle' }],
  ['floor', { colour: '#222222', shape: 'cross' }],
  ['floor-careful', { colour: '#555555', shape: 'triangle-up' }],
  ['floor-helper', { colour: '#6f6f6f', shape: 'cross' }],
  ['floor-outside', { colour: '#888888', shape: 'cross' }],
  ['node-fs', { colour: '#66a182', shape: 'square' }],
  ['node-fs-fd', { colour: '#a9cbb7', shape: 'square' }],
  ['containerd', { colour: '#00798c', shape: 'triangle-up' }],
  ['opencontainers', { colour: '#2e4057', shape: 'diamond' }],
  ['libcgroup', { colour: '#edae49', shape: 'triangle-down' }],
])

export const DRIVERS = [...STYLES.keys()]

/** @param {string[]} drivers */
export function colourScale(drivers) {
  return { domain: drivers, range: drivers.map((name) => STYLES.get(name)?.colour ?? '#bbbbbb') }
}

/** @param {string[]} drivers */
export function shapeScale(drivers) {
  return { domain: drivers, range: drivers.map((name) => STYLES.get(name)?.shape ?? 'circle') }
}

/** White also where the page is dark. */
export const LOOK = {
  background: 'white',
  padding: 12,
  config: {
    font: 'Helvetica, Arial, sans-serif',
    view: { stroke: null },
    axis: {
      labelFontSize: 11,
      titleFontSize: 12,
      titleFontWeight: /** @type {const} */ ('normal'),
      gridColor: '#e6e6e6',
      domain: false,
    },
    header: { labelFontSize: 12, labelFontWeight: /** @type {const} */ ('bold') },
    legend: { labelFontSize: 12, title: null, symbolSize: 90 },
  },
}
