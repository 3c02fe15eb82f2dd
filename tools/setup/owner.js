'use strict'

const { accessSync, constants, statSync } = require('node:fs')
const { userInfo } = require('node:os')
const { join } = require('node:path')

/** Set by an npm that root started; they point into root's own home. */
const FOREIGN_SETTINGS = ['cache', 'userconfig', 'prefix', 'global_prefix', 'local_prefix', 'init_module']

/**
 * @returns {string | undefined} undefined for a uid without an entry in the user database, as in containers, and for
 *   an account whose home is not there or not its own, as that of `nobody`: npm keeps its cache in it
 */
function accountHome() {
  try {
    const { homedir } = userInfo()
    accessSync(homedir, constants.W_OK)
    return homedir
  } catch {
    return undefined
  }
}

/**
 * As root in a clone that belongs to somebody else, becomes that user for good: `sudo npm start` must not leave
 * files that their owner cannot replace.
 *
 * @param {string} root the checkout
 */
function becomeOwner(root) {
  const { uid, gid } = statSync(root)
  if (process.getuid?.() !== 0 || uid === 0) return
  process.setgroups?.([gid])
  process.setgid?.(gid)
  process.setuid?.(uid)
  for (const name of FOREIGN_SETTINGS) delete process.env[`npm_config_${name}`]
  const home = accountHome() ?? join(root, '.cache', 'home')
  process.env['HOME'] = home
}

module.exports = { becomeOwner }
