// Lets a child process of a test require the TypeScript sources: node --require test/support/typescript.js file.ts

const { readFileSync } = require('node:fs')
const Module = require('node:module')
const { transformSync } = require('@swc/core')

/** @type {(module: NodeModule & { _compile(code: string, filename: string): void }, filename: string) => void} */
const compile = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    swcrc: false,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
  })
  module._compile(code, filename)
}
Reflect.set(Reflect.get(Module, '_extensions'), '.ts', compile)
