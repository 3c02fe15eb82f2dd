import { adopt } from './adopt.mjs'
import { devices } from './devices.mjs'
import { enumerate } from './enumerate.mjs'
import { hotplug } from './hotplug.mjs'
import { launch } from './launch.mjs'
import { loop } from './loop.mjs'
import { memory } from './memory.mjs'
import { merge } from './merge.mjs'
import { migrate } from './migrate.mjs'
import { place } from './place.mjs'
import { scope } from './scope.mjs'
import { start } from './start.mjs'
import { stats } from './stats.mjs'

/** @type {readonly import('../trial.mjs').Trial[]} */
export const TRIALS = [
  migrate,
  place,
  adopt,
  launch,
  hotplug,
  loop,
  stats,
  enumerate,
  devices,
  scope,
  merge,
  memory,
  start,
]
