// Looks at vCPU threads as fast as it can, in a process of its own; `sampler.ts` is its other end.
//
// No two reads are made at the same moment, so each sighting rests on one read alone: /proc/<tid>/cgroup answers for
// one thread in all hierarchies under the kernel's cgroup lock, and a freshly opened list of threads is that of one
// cgroup. A thread that nobody moves keeps its place in every list, so a list without it is proof that it was away.

const { readFileSync } = require('node:fs')

/** @typedef {{ tid: number, leaf: string }} Watched */
/** @typedef {{ directory: string, names: string, list: string }} Hierarchy */

/** @type {readonly Watched[]} */
let watched = []
/** @type {readonly Hierarchy[]} */
let hierarchies = []
let looks = 0
let sightings = 0
/** @type {string[]} */
let examples = []

/** @param {string} what */
function seen(what) {
  sightings += 1
  if (examples.length < 10) examples.push(what)
}

/** @param {Watched} vcpu */
function lookAtThread({ tid, leaf }) {
  for (const line of readFileSync(`/proc/${tid}/cgroup`, 'utf8').split('\n')) {
    const [, controllers, path] = line.split(':')
    const isUsed = hierarchies.some(({ names }) => names === controllers)
    if (isUsed && path !== leaf) seen(`thread ${tid} in ${controllers}:${path}`)
  }
}

/**
 * @param {Hierarchy} hierarchy
 * @param {string} leaf
 * @param {readonly Watched[]} vcpus
 */
function lookAtLists({ directory, list }, leaf, vcpus) {
  const inLeaf = new Set(readFileSync(`${directory}${leaf}/${list}`, 'utf8').split('\n'))
  const sandbox = leaf.slice(0, leaf.lastIndexOf('/'))
  const inSandbox = new Set(readFileSync(`${directory}${sandbox}/${list}`, 'utf8').split('\n'))
  for (const { tid } of vcpus) {
    if (!inLeaf.has(String(tid))) seen(`thread ${tid} missing in ${directory}${leaf}`)
    if (inSandbox.has(String(tid))) seen(`thread ${tid} listed in ${directory}${sandbox}`)
  }
}

function look() {
  for (const vcpu of watched) lookAtThread(vcpu)
  for (const leaf of new Set(watched.map((vcpu) => vcpu.leaf))) {
    const vcpus = watched.filter((vcpu) => vcpu.leaf === leaf)
    for (const hierarchy of hierarchies) lookAtLists(hierarchy, leaf, vcpus)
  }
  if (watched.length > 0) looks += 1
}

/** Looks for some milliseconds, then lets messages in. */
function lookOn() {
  const end = performance.now() + 20
  while (performance.now() < end) look()
  setImmediate(lookOn)
}

process.on(
  'message',
  (/** @type {{ watched: readonly Watched[], hierarchies: readonly Hierarchy[] }} */ message) => {
    process.send?.({ looks, sightings, examples })
    watched = message.watched
    hierarchies = message.hierarchies
    looks = 0
    sightings = 0
    examples = []
  },
)
process.on('disconnect', () => process.exit())
lookOn()
