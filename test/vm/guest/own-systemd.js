'use strict'

const { spawnSync } = require('node:child_process')
const { guestUser } = require('./user')

/**
 * Starts the systemd of a user, as logging in does, and puts what runs as that user into a scope of it.
 *
 * @param {string} user
 * @returns {{ prefix: string[], env: Record<string, string> }} to run a command as that user in there; `VMCG_OUTSIDER` is the
 *   pid of a process of that user outside of it
 */
function ownSystemd(user) {
  const { uid, become, env } = guestUser(user)
  spawnSync('systemctl', ['start', `user@${uid}.service`])
  // As somebody's who logged in is, it is outside of what that systemd manages; it ends with the guest.
  const withOutsider = ['sh', '-c', 'sleep infinity & VMCG_OUTSIDER=$! exec "$@"', 'sh']
  return {
    prefix: [...become, ...withOutsider, 'systemd-run', '--user', '--scope', '--quiet'],
    env: { ...env, XDG_RUNTIME_DIR: `/run/user/${uid}` },
  }
}

module.exports = { ownSystemd }
