'use strict'

const { spawnSync } = require('node:child_process')
const { guestUser } = require('./user')

/**
 * Starts the systemd of a user, as logging in does, and puts what runs as that user into a scope of it.
 *
 * @param {string} user
 * @returns {{ prefix: string[], env: Record<string, string> }} to run a command as that user in there
 */
function ownSystemd(user) {
  const { uid, become, env } = guestUser(user)
  spawnSync('systemctl', ['start', `user@${uid}.service`])
  return {
    prefix: [...become, 'systemd-run', '--user', '--scope', '--quiet'],
    env: { ...env, XDG_RUNTIME_DIR: `/run/user/${uid}` },
  }
}

module.exports = { ownSystemd }
