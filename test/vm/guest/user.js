'use strict'

const { spawnSync } = require('node:child_process')

/**
 * What is needed to run a command as a user of the guest.
 *
 * @param {string} name
 * @returns {{ uid: number, gid: number, become: string[], env: Record<string, string> }} `become` goes before the command
 */
function guestUser(name) {
  const id = (/** @type {string} */ option) =>
    Number(spawnSync('id', [option, name], { encoding: 'utf8' }).stdout)
  return {
    uid: id('-u'),
    gid: id('-g'),
    become: ['setpriv', `--reuid=${name}`, `--regid=${name}`, '--init-groups'],
    env: { HOME: `/home/${name}`, USER: name },
  }
}

module.exports = { guestUser }
