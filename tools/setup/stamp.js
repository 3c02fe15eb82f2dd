'use strict'

const { createHash } = require('node:crypto')
const { readFileSync, readdirSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { join, relative } = require('node:path')

/**
 * @param {string} path a file or a folder
 * @returns {string[]} the files, sorted; none when it does not exist
 */
function filesBelow(path) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return []
  if (!stat.isDirectory()) return [path]
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)))
}

/**
 * @param {string} root
 * @param {readonly string[]} paths files and folders below root
 * @param {readonly string[]} [facts] what else the outcome depends on
 * @returns {string} a hash that changes with any file's name or content, or with a fact
 */
function fingerprint(root, paths, facts = []) {
  const hash = createHash('sha256')
  for (const fact of facts) hash.update(`${fact}\0`)
  for (const file of paths.flatMap((path) => filesBelow(join(root, path)))) {
    const content = readFileSync(file)
    hash.update(`${relative(root, file)}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/**
 * A file inside a step's output that says from which inputs it was made. It goes before the step begins and comes
 * back when all is done, so that an output with a stamp is a whole one.
 *
 * @param {string} path
 */
function stamp(path) {
  return {
    /** @returns {string} empty when there is none */
    read() {
      try {
        return readFileSync(path, 'utf8')
      } catch {
        return ''
      }
    },
    clear: () => rmSync(path, { force: true }),
    /** @param {string} text */
    write: (text) => writeFileSync(path, text),
  }
}

module.exports = { fingerprint, stamp }
