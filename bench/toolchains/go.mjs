import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { makeFolder, ROOT } from '../folders.mjs'
import { compiled } from './compiled.mjs'

/** @import { Built } from './compiled.mjs' */

const SOURCES = 'bench/drivers/go'
/** Where Debian's packages put libraries. */
const PACKAGED = '/usr/share/gocode'

/**
 * A Go program of the bench, with a library as Debian packages it.
 *
 * @param {string} name of its folder
 * @param {string} library
 * @param {string} debianPackage
 * @returns {Built}
 */
export function buildGo(name, library, debianPackage) {
  const missing = `apt-get install golang-go ${debianPackage}`
  if (!existsSync(join(PACKAGED, 'src', library))) return { missing }
  return compiled({
    name,
    sources: [`${SOURCES}/src/serve`, `${SOURCES}/src/${name}`],
    missing,
    command: (output) => ['go', 'build', '-o', output, name],
    env: {
      GO111MODULE: 'off',
      CGO_ENABLED: '0',
      GOPATH: [join(ROOT, SOURCES), PACKAGED].join(delimiter),
      GOCACHE: makeFolder('.cache/go'),
    },
  })
}
