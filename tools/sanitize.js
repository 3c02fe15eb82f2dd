'use strict'

// `npm run sanitize [-- pattern...]` builds the core and the addon with the compiler's sanitizers, once for memory and
// undefined behaviour and once for threads, and runs the core's own tests and the integration tests with them. It works
// in copies of this checkout below .cache/sanitize. The last line is the sum.

const { execFileSync } = require('node:child_process')
const { existsSync, mkdirSync, rmSync, symlinkSync } = require('node:fs')
const { delimiter, join } = require('node:path')
const { copyCheckout } = require('./check/copy-checkout')
const { run } = require('./check/run')
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
 * @property {readonly string[]} plain of what is built here, what runs as it is without the sanitizer
 */

/** @type {readonly Sanitizer[]} */
const SANITIZERS = [
  {
    name: 'address',
    flags: 'address,undefined',
    library: 'libasan.so',
    env: { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' },
    // Not what Node and the rest of the shell's programs keep to their end.
    nodeEnv: { ASAN_OPTIONS: 'detect_leaks=0' },
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

/** What tests start that is not ours to judge; some of it does not even run with a sanitizer's library in it. */
const OTHERS = ['crun', 'python3', 'qemu-system-x86_64', 'runc']

/** Made anew in each copy, or shared with the checkout. */
const NOT_COPIED = ['build', 'build-core', 'node_modules', 'test/node_modules']

/** Both make everything several times slower, and what they look for shows in a few rounds. */
const SCALE = { VMCG_SCALE: '0.05', VMCG_PATIENCE: '4' }

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
 * A program that begins without the sanitizer's library, under the name and the process id of the other.
 *
 * @param {string} path
 * @param {string} program its path
 */
function makePlain(path, program) {
  rmSync(path, { force: true })
  const source = join(__dirname, 'check', 'plain.c')
  execFileSync('gcc', ['-static', `-DPROGRAM="${program}"`, '-o', path, source])
}

/**
 * @param {string} folder the copy
 * @param {Sanitizer} sanitizer
 * @returns {string} a folder to be looked through before those of the PATH
 */
function makeAllPlain(folder, { plain }) {
  for (const name of plain)
    makePlain(join(folder, 'build', 'Release', name), join(ROOT, 'build', 'Release', name))
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  for (const name of OTHERS) {
    const path = (process.env['PATH'] ?? '')
      .split(delimiter)
      .map((part) => join(part, name))
      .find(existsSync)
    if (path !== undefined) makePlain(join(bin, name), path)
  }
  return bin
}

/**
 * @param {Sanitizer} sanitizer
 * @param {readonly string[]} patterns
 * @returns {Promise<Counts>}
 */
async function check(sanitizer, patterns) {
  const root = join(ROOT, '.cache', 'sanitize', sanitizer.name)
  makeCopy(root)
  const env = { ...process.env, ...sanitizer.env }
  const parts = patterns.length > 0 ? [] : [await core([`-DVMCG_SANITIZE=${sanitizer.flags}`], { root, env })]
  if (!(await buildAddon(root, sanitizer))) return total([...parts, { passed: 0, failed: 1, skipped: 0 }])
  const compiler = process.env['CXX'] ?? 'g++'
  const library = execFileSync(compiler, [`-print-file-name=${sanitizer.library}`], {
    encoding: 'utf8',
  }).trim()
  const path = [makeAllPlain(root, sanitizer), process.env['PATH']].join(delimiter)
  const nodeEnv = { ...env, ...SCALE, ...sanitizer.nodeEnv, LD_PRELOAD: library, PATH: path }
  parts.push(await jest('integration', ['--runInBand', ...patterns], { root, env: nodeEnv }))
  return total(parts)
}

/** @param {readonly string[]} patterns */
async function main(patterns) {
  const parts = []
  for (const sanitizer of SANITIZERS) {
    console.log(`-- -fsanitize=${sanitizer.flags}`)
    parts.push(await check(sanitizer, patterns))
  }
  const sum = total(parts)
  console.log(format(sum))
  process.exitCode = sum.failed > 0 ? 1 : 0
}

void main(process.argv.slice(2))
