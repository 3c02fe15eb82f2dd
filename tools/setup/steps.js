'use strict'

const { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync } = require('node:fs')
const { join } = require('node:path')
const { makeImportsLazy } = require('./lazy-imports')
const { makeNodedir } = require('./nodedir')
const { fingerprint, stamp } = require('./stamp')

const STAMP = '.vmcg-stamp'
const NODE = process.execPath
/** Not the whole of `bench`: its scripts import vmcg by its name, which only the root's package.json gives them. */
const REPORT = join('bench', 'report')

/**
 * @typedef {(program: string, args: readonly string[], cwd?: string) => Promise<void>} Run
 * @typedef {object} Step
 * @property {string} name of its log
 * @property {string} says what it does, for the progress line
 * @property {() => boolean} isFresh
 * @property {(run: Run) => Promise<void>} make
 */

/** @param {string} path */
function isReadable(path) {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/**
 * npm as it was started, or the one on the PATH: root's own may be out of reach for the checkout's owner.
 *
 * @param {readonly string[]} args
 * @returns {[string, string[]]}
 */
function npm(args) {
  const running = process.env['npm_execpath'] ?? ''
  return running.endsWith('npm-cli.js') && isReadable(running)
    ? [NODE, [running, ...args]]
    : ['npm', [...args]]
}

/**
 * @param {string} folder with a package.json
 * @returns {string} what of it decides about the installed packages; the lock file says the rest
 */
function dependencies(folder) {
  const { dependencies, devDependencies, overrides } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
  return JSON.stringify([dependencies, devDependencies, overrides])
}

/**
 * @param {string} name
 * @param {string} says
 * @param {string} folder
 * @returns {Step}
 */
function installStep(name, says, folder) {
  const key = fingerprint(folder, ['package-lock.json'], [dependencies(folder)])
  const mark = stamp(join(folder, 'node_modules', STAMP))
  return {
    name,
    says,
    isFresh: () => mark.read() === key,
    async make(run) {
      mark.clear()
      // `--include=dev`: NODE_ENV=production must not leave the compiler out. No package here needs its scripts.
      const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']
      await run(...npm(args), folder)
      mark.write(key)
    },
  }
}

/**
 * @param {string} root
 * @returns {Step}
 */
function nativeStep(root) {
  const toolchain = `${process.version} ${process.arch} `
  const key = toolchain + fingerprint(root, ['native', 'binding.gyp', 'package-lock.json'])
  const build = join(root, 'build')
  const mark = stamp(join(build, STAMP))
  return {
    name: 'native',
    says: 'compiling the native core',
    isFresh: () => mark.read() === key,
    async make(run) {
      // Objects of an unfinished build, or of another Node, are not to be trusted; those of a whole one save time.
      if (!mark.read().startsWith(toolchain)) rmSync(build, { recursive: true, force: true })
      mark.clear()
      const gyp = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
      await run(NODE, [gyp, 'configure', 'build', `--nodedir=${makeNodedir(root)}`, '--jobs=max'])
      mark.write(key)
    },
  }
}

/**
 * @param {string} root
 * @returns {Step}
 */
function typescriptStep(root) {
  const finish = readFileSync(join(__dirname, 'lazy-imports.js'), 'utf8')
  const key = fingerprint(root, ['src', 'tsconfig.json', 'package-lock.json'], [finish])
  const dist = join(root, 'dist')
  const mark = stamp(join(dist, STAMP))
  return {
    name: 'typescript',
    says: 'compiling the TypeScript',
    isFresh: () => mark.read() === key,
    async make(run) {
      rmSync(dist, { recursive: true, force: true })
      await run(NODE, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', root])
      if (!existsSync(dist)) mkdirSync(dist)
      makeImportsLazy(dist)
      mark.write(key)
    },
  }
}

/**
 * @param {string} root the checkout
 * @param {string} goal `demo`, `build`, `bench` or `test`
 * @returns {Step[]} in the order to take them
 */
function stepsFor(root, goal) {
  const steps = [
    installStep('install', 'installing the packages', root),
    nativeStep(root),
    typescriptStep(root),
  ]
  if (goal === 'test')
    steps.push(installStep('install-test', 'installing the test tools', join(root, 'test')))
  if (goal === 'test' || goal === 'bench') {
    steps.push(installStep('install-bench', "installing what draws the bench's charts", join(root, REPORT)))
  }
  return steps
}

module.exports = { stepsFor }
