'use strict'

const { spawnSync } = require('node:child_process')
const { chownSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs')

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
  const top = '/sys/fs/cgroup'
  const given = `${top}/vmcg-test-${user}`
  const session = `${given}/session`
  const id = (/** @type {string} */ option) =>
    Number(spawnSync('id', [option, user], { encoding: 'utf8' }).stdout)
  mkdirSync(session, { recursive: true })
  for (const parent of [top, given]) {
    const controllers = readFileSync(`${parent}/cgroup.controllers`, 'utf8').trim().split(' ')
    writeFileSync(`${parent}/cgroup.subtree_control`, controllers.map((name) => `+${name}`).join(' '))
  }
  for (const folder of [given, session])
    for (const file of DELEGATED) chownSync(`${folder}${file}`, id('-u'), id('-g'))
  const enter = `echo $$ > "$0/cgroup.procs" && exec setpriv --reuid=${user} --regid=${user} --init-groups "$@"`
  return {
    prefix: ['sh', '-c', enter, session],
    env: { HOME: `/home/${user}`, USER: user, VMCG_DELEGATED: given },
  }
}

module.exports = { delegate }
