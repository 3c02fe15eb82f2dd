'use strict'

const { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } = require('node:fs')
const { availableParallelism } = require('node:os')
const { join, relative, resolve } = require('node:path')
const { makeNodedir } = require('../setup/nodedir')
const { fingerprint } = require('../setup/stamp')
const { run } = require('./run')
const { REQUIRED, ROOT } = require('./suites')

/** The linters' output differs from one major version to the next, so that one is agreed on. */
const LLVM = '14'
const NATIVE = join(ROOT, 'native')

/**
 * @param {string} tool `clang-format` or `clang-tidy`
 * @returns {Promise<string | undefined>} the program of the agreed version
 */
async function findTool(tool) {
  for (const program of [`${tool}-${LLVM}`, tool]) {
    const { ok, output } = await run(program, ['--version'], { cwd: ROOT, quiet: true })
    if (ok && output.includes(`version ${LLVM}.`)) return program
  }
  return undefined
}

/**
 * @param {string} tool
 * @returns {string} empty when it may be left out
 */
function missing(tool) {
  const line = `${tool} ${LLVM} is missing: apt-get install ${tool}-${LLVM}`
  if (!REQUIRED) console.log(`skipped: ${line}`)
  return REQUIRED ? line : ''
}

/** What clang-tidy says of other people's headers. */
const NOISE = /^(\d+ warnings? generated|Suppressed \d+ warnings|Use -header-filter).*\n/gm

/** @param {RegExp} pattern of file names */
function nativeFiles(pattern) {
  return readdirSync(NATIVE, { recursive: true })
    .map((name) => join(NATIVE, String(name)))
    .filter((path) => pattern.test(path))
    .sort()
}

/** @returns {Promise<string>} what is wrong; empty when nothing is */
async function clangFormat() {
  const program = await findTool('clang-format')
  if (program === undefined) return missing('clang-format')
  const { ok, output } = await run(program, ['--dry-run', '-Werror', ...nativeFiles(/\.(cc|h)$/)], {
    cwd: ROOT,
    quiet: true,
  })
  return ok ? '' : output
}

/** node-gyp's define for the name of each target; `vmcg-core` in it reads as a macro without parentheses. */
const TARGET_NAME = / ["']?-DNODE_GYP_MODULE_NAME=\S+/g

/**
 * Writes down how each source is compiled: CMake tells it for the core and its tests, node-gyp for the rest.
 *
 * @param {string} folder for the compile_commands.json
 * @returns {Promise<Set<string>>} the sources in it
 */
async function writeCompileCommands(folder) {
  const gyp = join(ROOT, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  const args = [gyp, 'configure', `--nodedir=${makeNodedir(ROOT)}`, '--', '-f', 'compile_commands_json']
  await run(process.execPath, args, { cwd: ROOT, quiet: true })
  await run('cmake', ['-S', ROOT, '-B', join(ROOT, 'build-core')], { cwd: ROOT, quiet: true })

  const commands = new Map()
  for (const build of ['build/Release', 'build-core']) {
    const database = join(ROOT, build, 'compile_commands.json')
    if (!existsSync(database)) continue
    for (const { directory, file, command } of JSON.parse(readFileSync(database, 'utf8'))) {
      const source = resolve(directory, file)
      commands.set(source, { directory, file: source, command: command.replace(TARGET_NAME, '') })
    }
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'compile_commands.json'), JSON.stringify([...commands.values()], null, 1))
  return new Set(commands.keys())
}

function headers() {
  return nativeFiles(/\.(h|clang-tidy)$/).map((path) => relative(ROOT, path))
}

/** @returns {Promise<string>} what is wrong; empty when nothing is */
async function clangTidy() {
  const program = await findTool('clang-tidy')
  if (program === undefined) return missing('clang-tidy')
  const cleanFolder = join(ROOT, '.cache', 'clang-tidy')
  const known = await writeCompileCommands(cleanFolder)
  const sources = nativeFiles(/\.cc$/)
  const problems = sources
    .filter((source) => !known.has(source) && REQUIRED)
    .map((source) => `${relative(ROOT, source)}: nothing builds it`)

  // A file takes seconds: what was clean stays so until it, a header or the rules change.
  const shared = fingerprint(ROOT, ['binding.gyp', 'CMakeLists.txt', '.clang-tidy', ...headers()])
  const queue = sources.filter((source) => known.has(source))
  const work = async () => {
    for (let source = queue.shift(); source !== undefined; source = queue.shift()) {
      const clean = join(cleanFolder, fingerprint(ROOT, [relative(ROOT, source)], [shared]))
      if (existsSync(clean)) continue
      const args = ['--quiet', '-p', cleanFolder, source]
      const { ok, output } = await run(program, args, { cwd: ROOT, quiet: true })
      if (ok) writeFileSync(clean, '')
      else problems.push(output.replace(NOISE, ''))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return problems.join('\n')
}

/** The core knows Linux only; N-API and libuv stay in the binding. */
function coreIncludes() {
  const foreign = /^\s*#\s*include\s*[<"](napi|node_api|js_native_api|uv)[./_]/m
  return nativeFiles(/\/native\/core\//)
    .filter((path) => foreign.test(readFileSync(path, 'utf8')))
    .map((path) => `${relative(ROOT, path)} includes a header of Node or libuv`)
    .join('\n')
}

module.exports = { clangFormat, clangTidy, coreIncludes }
