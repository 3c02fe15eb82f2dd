'use strict'

const { createHash } = require('node:crypto')
const {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} = require('node:fs')
const { join } = require('node:path')
const { SetupError } = require('../../tools/setup/errors')
const { takeLock } = require('../../tools/setup/lock')
const { withProgress } = require('../../tools/setup/progress')
const { run } = require('../../tools/setup/run')
const { isOnPath } = require('../../tools/setup/toolchain')
const { debianSources } = require('./debian')
const { cacheFolder } = require('./paths')
const recipe = require('./recipe')

/**
 * @typedef {{ folder: string, disk: string, kernel: string, initrd: string }} Image of a guest's root file system
 */

/** What the host must have, and Debian's package of it. */
const PROGRAMS = { mmdebstrap: 'mmdebstrap', mke2fs: 'e2fsprogs', 'qemu-system-x86_64': 'qemu-system-x86' }

/** Room in the image beside its files: logs, and what tests write to temporary folders. */
const SIZE = '1500M'

/**
 * The image for the guests, from the cache or made. It is never written to: guests write to what QEMU throws away.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<Image>}
 * @throws {SetupError} where this host cannot make one
 */
async function guestImage(signal) {
  const lacking = Object.entries(PROGRAMS).filter(([program]) => !isOnPath(program))
  if (lacking.length > 0)
    throw new SetupError(`vmcg: guests need apt-get install ${lacking.map(([, name]) => name).join(' ')}`)
  const { suite, lines } = debianSources()
  const key = createHash('sha256')
    .update(JSON.stringify([recipe, suite, lines, SIZE]))
    .digest('hex')
  const cache = cacheFolder()
  const folder = join(cache, `guest-${key.slice(0, 12)}`)
  if (existsSync(folder)) return imageIn(folder)
  if (process.geteuid?.() !== 0) throw new SetupError('vmcg: making the image of the guests takes root')

  mkdirSync(cache, { recursive: true })
  const lock = await takeLock(join(cache, 'image.lock'), {
    signal,
    onWait: (pid) => console.error(`vmcg: process ${pid} makes the image of the guests, waiting for it`),
  })
  const work = mkdtempSync(join(cache, 'making-'))
  try {
    if (existsSync(folder)) return imageIn(folder)
    const options = { cwd: work, log: join(cache, 'image.log'), signal, onStart: lock.noteChild }
    await withProgress(`making the image of the guests, once, in ${folder}`, () =>
      make(work, suite, lines, (program, args) => run(program, args, options)),
    )
    for (const name of readdirSync(cache))
      if (name.startsWith('guest-')) rmSync(join(cache, name), { recursive: true })
    renameSync(join(work, 'image'), folder)
    return imageIn(folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
    lock.release()
  }
}

/**
 * @param {string} folder
 * @returns {Image}
 */
function imageIn(folder) {
  return {
    folder,
    disk: join(folder, 'root.img'),
    kernel: join(folder, 'kernel'),
    initrd: join(folder, 'initrd'),
  }
}

/**
 * @param {string} work an empty folder; the image comes to `image` in it
 * @param {string} suite
 * @param {readonly string[]} lines
 * @param {(program: string, args: readonly string[]) => Promise<void>} run
 */
async function make(work, suite, lines, run) {
  const root = join(work, 'root')
  const image = imageIn(join(work, 'image'))
  const sources = join(work, 'sources.list')
  writeFileSync(sources, `${lines.join('\n')}\n`)
  const initramfs = '"$1/etc/initramfs-tools'
  await run('mmdebstrap', [
    ...['--mode=root', '--format=directory', '--variant=minbase'],
    `--include=${recipe.PACKAGES.join(',')}`,
    '--aptopt=Apt::Install-Recommends "false"',
    ...recipe.LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    // The initrd is made while the kernel's package is installed.
    `--essential-hook=mkdir -p ${initramfs}/conf.d"`,
    `--essential-hook=echo MODULES=list > ${initramfs}/conf.d/vmcg"`,
    `--essential-hook=echo ${recipe.INITRD_MODULES.join(' ')} | tr ' ' '\\n' > ${initramfs}/modules"`,
    '--customize-hook=chroot "$1" useradd --create-home --shell /bin/sh vmcg',
    ...[suite, root, sources],
  ])
  addOwnFiles(root)
  mkdirSync(image.folder)
  renameSync(join(root, 'boot', bootFile(root, 'vmlinuz-')), image.kernel)
  renameSync(join(root, 'boot', bootFile(root, 'initrd.img-')), image.initrd)
  await run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', root, image.disk, SIZE])
}

/** @param {string} root */
function addOwnFiles(root) {
  const units = join(root, 'etc', 'systemd', 'system')
  for (const [path, content] of recipe.FILES) writeFileSync(join(root, path), content)
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true })
  for (const name of recipe.SERVICES)
    symlinkSync(`../${name}.service`, join(units, 'multi-user.target.wants', `${name}.service`))
  for (const name of recipe.MASKED) symlinkSync('/dev/null', join(units, name))
}

/**
 * @param {string} root
 * @param {string} prefix
 */
function bootFile(root, prefix) {
  const name = readdirSync(join(root, 'boot')).find((file) => file.startsWith(prefix))
  if (name === undefined) throw new SetupError(`vmcg: the image of the guests has no /boot/${prefix}*`)
  return name
}

module.exports = { guestImage }
