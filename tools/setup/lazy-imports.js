'use strict'

const { readdirSync, readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

// A program that imports vmcg uses a small part of it, and to load all of it takes longer than Node's own start. So a
// module is loaded when something of it is first used. This rests on three things: no module does anything but define
// when it is loaded, the compiler writes each import on a line of its own, and every use of it as a member of one name.

const IMPORT = /^(?:const|var) (\w+_\d+) = require\(("[^"]+")\);$/gm

const REEXPORT = /^Object\.defineProperty\(exports, "(\w+)", \{ enumerable: true, get: /gm

/**
 * `import { Sandbox } from` in an ES module finds the names that a CommonJS module exports by its text alone, and leaves
 * out those of getters that it does not know to be harmless. So they are defined in a way that it does not look at, and
 * named by a line that never runs.
 *
 * @param {string} code
 */
function withNamedReexports(code) {
  const names = Array.from(code.matchAll(REEXPORT), ([, name]) => name)
  if (names.length === 0) return code
  const hidden = code.replace(REEXPORT, (text) => text.replace('Object.', 'Reflect.'))
  return `${hidden}\n0 && (module.exports = { ${names.join(', ')} });\n`
}

/**
 * @param {string} code a CommonJS module as tsc writes it
 * @returns {string} the same, with every import made at its first use; no line moves
 */
function withLazyImports(code) {
  /** @type {string[]} */
  const names = []
  const declared = code.replace(IMPORT, (_, name, specifier) => {
    names.push(name)
    return `let ${name}$; const ${name} = () => (${name}$ ??= require(${specifier}));`
  })
  if (names.length === 0) return code
  // In brackets for the sake of `new name.Class()`. Once it is loaded nothing is called: code that runs seldom is not
  // compiled, and calls are what it spends its time with.
  const used = new RegExp(`\\b(${names.join('|')})\\.`, 'g')
  return withNamedReexports(declared.replace(used, '($1$ ?? $1()).'))
}

/** @param {string} folder of compiled modules, which are changed in place */
function makeImportsLazy(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) makeImportsLazy(path)
    else if (entry.name.endsWith('.js')) writeFileSync(path, withLazyImports(readFileSync(path, 'utf8')))
  }
}

module.exports = { makeImportsLazy, withLazyImports }
