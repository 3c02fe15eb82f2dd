import { compiled } from './compiled.mjs'

/** @import { Built } from './compiled.mjs' */

/** What every program of the bench shares. */
const COMMON = ['bench/c.c', 'bench/c.h']

/**
 * A C program of the bench.
 *
 * @param {string} name
 * @param {readonly string[]} sources below the checkout
 * @param {object} [options]
 * @param {readonly string[]} [options.flags] for the compiler, after the sources
 * @param {string} [options.packages] of Debian, where gcc is not all it needs
 * @returns {Built}
 */
export function buildC(name, sources, { flags = [], packages = 'gcc' } = {}) {
  const all = [...sources, ...COMMON]
  const warnings = ['-Wall', '-Wextra', '-Werror']
  return compiled({
    name,
    sources: all,
    missing: `apt-get install ${packages}, or CC=…`,
    missingText: /fatal error: libcgroup\.h/,
    command: (output) => [
      process.env['CC'] ?? 'cc',
      ...['-std=c11', '-D_GNU_SOURCE', '-O2', ...warnings, '-Ibench', '-o', output],
      ...all.filter((source) => source.endsWith('.c')),
      ...flags,
    ],
  })
}
