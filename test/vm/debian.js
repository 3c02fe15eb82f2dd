'use strict'

const { spawnSync } = require('node:child_process')
const { SetupError } = require('../../tools/setup/errors')

/**
 * Where the guests' packages come from: what this host's own apt says about Debian, so that a mirror or a snapshot
 * that is set up here serves the guests too.
 *
 * @returns {{ suite: string, lines: readonly string[] }} its release, and lines for a sources.list
 * @throws {SetupError} where apt knows no Debian
 */
function debianSources() {
  const format = '$(SITE) $(RELEASE) $(COMPONENT) $(ORIGIN) $(CREATED_BY)'
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format], { encoding: 'utf8' })
  const sources = parseTargets(stdout ?? '')
  if (sources === undefined)
    throw new SetupError(
      'vmcg: the image of the guests is made of Debian packages, but apt-get knows none here',
    )
  return sources
}

/**
 * @param {string} text lines of `site release component origin created-by`
 * @returns {{ suite: string, lines: readonly string[] } | undefined} undefined when none is of Debian
 */
function parseTargets(text) {
  const targets = text
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , component, origin, by]) => component === 'main' && origin === 'Debian' && by === 'Packages')
  const suites = targets.map(([, release = '']) => release).sort((a, b) => a.length - b.length)
  // Beside the release itself, whose name is the shortest, there are `-updates`, `-security` and `-backports`.
  const [suite] = suites
  if (suite === undefined) return undefined
  const lines = targets
    .filter(([, release]) => release !== `${suite}-backports`)
    .map(([site, release]) => `deb ${site} ${release} main`)
  return { suite, lines: [...new Set(lines)].sort() }
}

module.exports = { debianSources, parseTargets }
