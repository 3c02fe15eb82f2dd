#!/usr/bin/env node
'use strict'

// `node tools/setup.js demo|build|bench|test` installs and builds what that goal needs and lacks; when there is nothing
// to do it is silent. This one file has to parse on Node 12, so that it can name the Node that is needed: no `?.`,
// no `??`, no `node:`. What it requires after that check is free of the rule.

const GOALS = ['demo', 'build', 'bench', 'test']

/**
 * @param {string} version such as `20.19.0`
 * @param {string} range the `engines.node` of package.json, such as `>=20.19`
 * @returns {boolean}
 */
function satisfies(version, range) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [majorNeeded = 0, minorNeeded = 0] = range.replace(/^>=/, '').split('.').map(Number)
  return major > majorNeeded || (major === majorNeeded && minor >= minorNeeded)
}

/** @param {string} goal */
function main(goal) {
  const range = require('../package.json').engines.node
  if (!satisfies(process.versions.node, range)) {
    console.error(`vmcg: Node ${range.replace(/^>=/, '')} or newer is needed, this is ${process.version}`)
    process.exitCode = 1
  } else if (GOALS.indexOf(goal) < 0) {
    console.error(`usage: node tools/setup.js ${GOALS.join('|')}`)
    process.exitCode = 1
  } else {
    require('./setup/main').setUp(goal)
  }
}

module.exports = { satisfies }
if (require.main === module) main(process.argv[2] || '')
