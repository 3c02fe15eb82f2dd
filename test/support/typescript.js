'use strict'

// Lets a child process of a test require the TypeScript sources: node --require test/support/typescript.js file.ts
// Some tests start dozens of them, so what is compiled is kept, by its content.

const { createHash } = require('node:crypto')
const { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs')
const Module = require('node:module')
const { join } = require('node:path')

const FOLDER = join(__dirname, '..', '..', '.cache', 'compiled')
const OPTIONS = {
  swcrc: false,
  jsc: { target: /** @type {const} */ ('es2022'), parser: { syntax: /** @type {const} */ ('typescript') } },
  module: { type: /** @type {const} */ ('commonjs') },
}

/** @param {string} filename @returns {string} JavaScript */
function compiled(filename) {
  const source = readFileSync(filename, 'utf8')
  const key = createHash('sha256')
    .update(JSON.stringify([OPTIONS, source]))
    .digest('hex')
  const kept = join(FOLDER, `${key}.js`)
  if (existsSync(kept)) return readFileSync(kept, 'utf8')
  // Only now: loading the compiler takes longer than all the rest.
  const { code } = require('@swc/core').transformSync(source, { ...OPTIONS, filename })
  keep(kept, code)
  return code
}

/** @param {string} path @param {string} code */
function keep(path, code) {
  try {
    mkdirSync(FOLDER, { recursive: true })
    // Whole at once: others read it meanwhile.
    writeFileSync(`${path}.${process.pid}`, code)
    renameSync(`${path}.${process.pid}`, path)
  } catch {
    // A user who may not write here compiles each time.
  }
}

/** @type {(module: NodeModule & { _compile(code: string, filename: string): void }, filename: string) => void} */
const compile = (module, filename) => module._compile(compiled(filename), filename)
Reflect.set(Reflect.get(Module, '_extensions'), '.ts', compile)
