'use strict'

const { spawnSync } = require('node:child_process')
const { accessSync, constants } = require('node:fs')
const { delimiter, join } = require('node:path')
const { SetupError } = require('./errors')

const INSTALL = {
  'apt-get': 'apt-get install -y g++ make python3',
  dnf: 'dnf install -y gcc-c++ make python3',
  apk: 'apk add g++ make python3 linux-headers',
}

const CPP20 =
  '#include <bit>\n#include <span>\nstatic_assert(std::popcount(5U) == 2);\nstd::span<int> words;\n'

/** @param {string} program */
function isOnPath(program) {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} [input]
 */
function works(program, args, input = '') {
  return spawnSync(program, args, { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0
}

/** @returns {string} the command that installs the compiler on this host, or each one that is known */
function installCommand() {
  const known = Object.entries(INSTALL).filter(([program]) => isOnPath(program))
  const sudo = process.getuid?.() === 0 ? '' : 'sudo '
  return (known.length > 0 ? known : Object.entries(INSTALL))
    .map(([, line]) => `${sudo}${line}`)
    .join('   or   ')
}

/**
 * @returns {string[]} what the native build needs and this host lacks, in words
 */
function missingTools() {
  const cxx = process.env['CXX'] ?? 'g++'
  const lacks = ['make', 'python3'].filter((program) => !works(program, ['--version']))
  if (!works(cxx, ['--version'])) return ['g++', ...lacks]
  if (!works(cxx, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], CPP20)) {
    return [`a C++20 compiler (${cxx} is too old; g++ 10 or newer)`, ...lacks]
  }
  return lacks
}

/** Throws a SetupError that names what is missing and the command that installs it. */
function checkToolchain() {
  const lacks = missingTools()
  if (lacks.length > 0)
    throw new SetupError(`vmcg: the build needs ${lacks.join(' and ')}: ${installCommand()}`)
}

module.exports = { checkToolchain, isOnPath, missingTools }
