'use strict'

const { spawnSync } = require('node:child_process')
const { copyFileSync, mkdirSync, writeFileSync } = require('node:fs')
const { dirname, join, relative } = require('node:path')
const { copy, copyCheckout } = require('../../tools/check/copy-checkout')
const { NODE, DISK } = require('./paths')

/** What only compilers and linters need, which is half of all. */
const LEFT_OUT = [
  ...['test/node_modules/@biomejs', 'test/node_modules/prettier'],
  ...['build-core/CMakeFiles', 'build/Release/obj.target'],
]

/**
 * The guests' second disk: this checkout, this Node, and what each guest is to do. Made anew for every run, in a few
 * seconds, so that the first disk need not know any of it.
 *
 * @param {string} folder an empty one, which gets the disk and what it is made of
 * @param {Readonly<Record<string, string>>} files further ones, by their path on the disk
 * @param {(program: string, args: readonly string[]) => Promise<void>} run
 * @returns {Promise<string>} the path of the disk
 */
async function makeDisk(folder, files, run) {
  const stage = join(folder, 'stage')
  copyCheckout(join(stage, 'checkout'), LEFT_OUT)
  copy(process.execPath, join(stage, relative(DISK, NODE)))
  for (const library of librariesOf(process.execPath)) {
    const target = join(stage, 'libraries', library)
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(library, target)
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(stage, path)), { recursive: true })
    writeFileSync(join(stage, path), content)
  }
  const disk = join(folder, 'disk.img')
  // Room for what tests write into the checkout; the file is sparse.
  await run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-d', stage, disk, '1G'])
  return disk
}

/**
 * @param {string} program
 * @returns {string[]} the paths of its shared libraries; those that the guest has itself are not used there
 */
function librariesOf(program) {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' })
  return [...(stdout ?? '').matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path)
}

module.exports = { makeDisk }
