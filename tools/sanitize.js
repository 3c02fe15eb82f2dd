'use strict'

// `npm run sanitize [-- --brief | pattern...]` builds the core and the addon with the compiler's sanitizers, once for memory
// and undefined behaviour and once for threads, and runs the core's own tests and the integration tests with them: all, or
// without the longest, or those that fit a pattern and no core. It works in copies of this checkout below .cache/sanitize.
// The last line is the sum.

const { execFileSync } = require('node:child_process')
const { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync } = require('node:fs')
const { delimiter, join } = require('node:path')
const { copyCheckout } = require('./check/copy-checkout')
const { run } = require('./check/run')
const { makeSanitizedNode } = require('./check/sanitized-node')
const { core, format, jest, ROOT, total } = require('./check/suites')
const { makeNodedir } = require('./setup/nodedir')

/**
 * @typedef {import('./check/suites').Counts} Counts
 *
 * @typedef {object} Sanitizer
 * @property {string} name
 * @property {string} flags of -fsanitize
 * @property {string} library which has to be loaded before a Node that was built without it
 * @property {Readonly<Record<string, string>>} env for the core's tests
 * @property {Readonly<Record<string, string>>} nodeEnv for Node and its children, beside that
 * @property {readonly string[]} plain of the programs that are built here, those that run without the sanitizer
 */

/** @type {readonly Sanitizer[]} */
const SANITIZERS = [
  {
    name: 'address',
    flags: 'address,undefined',
    library: 'libasan.so',
    env: { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' },
    // Not what Node and the rest of the shell's programs keep to their end. What is freed is kept for a while to find uses
    // of it: little of it, since there are tests for growing memory.
    nodeEnv: { ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=16' },
    plain: [],
  },
  {
    name: 'thread',
    flags: 'thread',
    library: 'libtsan.so',
    env: {},
    nodeEnv: { TSAN_OPTIONS: `suppressions=${join(ROOT, 'native', 'test', 'tsan.supp')}` },
    // The sanitizer has a thread of its own in each process, and tests count those of a VMM.
    plain: ['vmcg-spinvm'],
  },
]

/** Made anew in each copy, or shared with the checkout. */
const NOT_COPIED = ['build', 'build-core', 'node_modules', 'test/node_modules']

/** Both make everything several times slower, and what they look for shows in a few rounds. */
const SCALE = { VMCG_SCALE: '0.05', VMCG_PATIENCE: '4' }

/** What takes longest, and has the addon do what others have it do as well. */
const LONG = ['crash-', 'demo', 'bench', 'runc', 'lives', 'spinvm', 'qemu-hypervisor', 'wrong-arguments']

/** @param {string} folder */
function makeCopy(folder) {
  for (const name of ['src', 'native', 'test', 'dist'])
    rmSync(join(folder, name), { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  copyCheckout(folder, NOT_COPIED)
  for (const name of ['node_modules', 'test/node_modules']) {
    if (!existsSync(join(folder, name))) symlinkSync(join(ROOT, name), join(folder, name))
  }
}

/**
 * @param {string} folder
 * @param {Sanitizer} sanitizer
 * @returns {Promise<boolean>}
 */
async function buildAddon(folder, { flags }) {
  const gyp = join(ROOT, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  for (const args of [
    ['configure', `--nodedir=${makeNodedir(folder)}`, '--', `-Dsanitize=${flags}`],
    ['build', '--jobs=max'],
  ]) {
    const { ok, output } = await run(process.execPath, [gyp, ...args], { cwd: folder, quiet: true })
    if (ok) continue
    console.log(`${output}failed: the addon with -fsanitize=${flags}`)
    return false
  }
  return true
}

/**
 * @param {Sanitizer} sanitizer
 * @param {{ hasCore: boolean, options: readonly string[] }} choice options: jest's
 * @returns {Promise<Counts>}
 */
async function check(sanitizer, { hasCore, options }) {
  const root = join(ROOT, '.cache', 'sanitize', sanitizer.name)
  makeCopy(root)
  const env = { ...process.env, ...sanitizer.env }
  const parts = hasCore ? [await core([`-DVMCG_SANITIZE=${sanitizer.flags}`], { root, env })] : []
  if (!(await buildAddon(root, sanitizer))) return total([...parts, { passed: 0, failed: 1, skipped: 0 }])
  const compiler = process.env['CXX'] ?? 'g++'
  const library = execFileSync(compiler, [`-print-file-name=${sanitizer.library}`], {
    encoding: 'utf8',
  }).trim()
  for (const name of sanitizer.plain)
    copyFileSync(join(ROOT, 'build', 'Release', name), join(root, 'build', 'Release', name))
  const bin = join(root, 'bin')
  const node = makeSanitizedNode(bin, library)
  const path = [bin, process.env['PATH']].join(delimiter)
  const nodeEnv = { ...env, ...SCALE, ...sanitizer.nodeEnv, PATH: path }
  parts.push(await jest('integration', ['--runInBand', ...options], { root, env: nodeEnv, node }))
  return total(parts)
}

/** @param {readonly string[]} args */
function choose(args) {
  if (args.includes('--brief'))
    return { hasCore: true, options: [`--testPathIgnorePatterns=/(?:${LONG.join('|')})[^/]*$`] }
  return { hasCore: args.length === 0, options: args }
}

/** @param {readonly string[]} args */
async function main(args) {
  const choice = choose(args)
  const parts = []
  for (const sanitizer of SANITIZERS) {
    console.log(`-- -fsanitize=${sanitizer.flags}`)
    parts.push(await check(sanitizer, choice))
  }
  const sum = total(parts)
  console.log(format(sum))
  process.exitCode = sum.failed > 0 ? 1 : 0
}

void main(process.argv.slice(2))
