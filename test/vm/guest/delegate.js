'use strict'

const { chownSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs')
const { guestUser } = require('./user')

/** What a user needs to own to work below a cgroup (kernel: admin-guide/cgroup-v2.rst, "Delegation Containment"). */
const DELEGATED = ['', '/cgroup.procs', '/cgroup.threads', '/cgroup.subtree_control']

/**
 * Gives a user a part of the v2 tree, as systemd does with `Delegate=yes`: all controllers, and the processes of the
 * user in a cgroup inside it.
 *
 * @param {string} user
 * @returns {{ prefix: string[], env: Record<string, string> }} to run a command as that user in there;
 *   `VMCG_DELEGATED` is the path of what was given
 */
function delegate(user) {
  const { uid, gid, become, env } = guestUser(user)
  const top = '/sys/fs/cgroup'
  const given = `${top}/vmcg-test-${user}`
  const session = `${given}/session`
  mkdirSync(session, { recursive: true })
  for (const parent of [top, given]) {
    const controllers = readFileSync(`${parent}/cgroup.controllers`, 'utf8').trim().split(' ')
    writeFileSync(`${parent}/cgroup.subtree_control`, controllers.map((name) => `+${name}`).join(' '))
  }
  for (const folder of [given, session]) for (const file of DELEGATED) chownSync(`${folder}${file}`, uid, gid)
  return {
    prefix: ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', session, ...become],
    env: { ...env, VMCG_DELEGATED: given },
  }
}

module.exports = { delegate }
