'use strict'

const { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

/** What binding.gyp relies on from Node's own common.gypi: that there is a configuration named Release. */
const COMMON_GYPI =
  "{'target_defaults': {'default_configuration': 'Release', 'configurations': {'Release': {}}}}\n"

/**
 * Makes the folder that node-gyp takes for Node's headers, from the npm package node-api-headers: a build then needs
 * neither nodejs.org nor a distribution's header package, and the addon sees the stable Node-API only.
 *
 * @param {string} root the checkout, with node_modules
 * @returns {string} for node-gyp's `--nodedir`
 */
function makeNodedir(root) {
  const headers = join(root, 'node_modules', 'node-api-headers', 'include')
  const nodedir = join(root, '.cache', 'nodedir')
  const include = join(nodedir, 'include', 'node')
  rmSync(nodedir, { recursive: true, force: true })
  mkdirSync(include, { recursive: true })
  for (const name of readdirSync(headers)) copyFileSync(join(headers, name), join(include, name))
  writeFileSync(join(include, 'common.gypi'), COMMON_GYPI)
  writeFileSync(join(include, 'config.gypi'), JSON.stringify(process.config))
  return nodedir
}

module.exports = { makeNodedir }
