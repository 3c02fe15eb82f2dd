'use strict'

const { mkdirSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

/**
 * Makes a Node that can load an addon with a sanitizer in it: its library has to be there before all others.
 *
 * @param {string} folder to be looked through before those of the PATH
 * @param {string} library
 * @returns {string} its path
 */
function makeSanitizedNode(folder, library) {
  const path = join(folder, 'node')
  const shed = join(__dirname, 'shed-preload.js')
  const variables = `LD_PRELOAD=${quote(library)} VMCG_SANITIZED_NODE=${quote(path)}`
  const command = [process.execPath, '--require', shed].map(quote).join(' ')
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${variables} exec ${command} "$@"\n`, { mode: 0o755 })
  return path
}

/** @param {string} word @returns {string} for sh */
function quote(word) {
  return `'${word.replaceAll("'", "'\\''")}'`
}

module.exports = { makeSanitizedNode }
