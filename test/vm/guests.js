'use strict'

/**
 * What one boot runs, one after the other.
 *
 * @typedef {object} Phase
 * @property {string} name
 * @property {RegExp} files the test files of test/integration that it runs, without `.test.ts`
 * @property {readonly (readonly string[])[]} [before] commands that root runs first; one that fails fails the phase
 * @property {'vmcg'} [user] runs as this user, below a cgroup that was delegated to it; default root
 * @property {Readonly<Record<string, string>>} [env]
 *
 * @typedef {object} Guest
 * @property {string} name
 * @property {string} shows in one line, for the usage
 * @property {readonly string[]} kernel further words for the kernel's command line
 * @property {readonly string[]} lacks the requirements (test/support/require.ts) that this boot cannot have: their
 *   tests are left out and counted as such; and modules (guest/modules.sh). Anything else that is missing fails
 * @property {readonly Phase[]} phases
 */

/** What no boot has: Debian's kernel is built without the one, and its image without the other. */
const IMAGE_LACKS = ['rt-group-sched', 'gcc']
const V1 = ['cgroup-v1', 'devices-v1', 'limits-v1', 'freezer-v1', 'accounting-v1']
const V2 = ['cgroup-v2']
/** What only the phase of the user has. */
const USER = ['delegated-v2']

/**
 * What is long, such as ending a life after each of its steps, and what the version of cgroups makes no difference to,
 * such as a monitor or the bus of systemd. One guest runs it, and the host as far as it has what that takes.
 */
const ONCE = [
  ...['crash-.*', '.*-endings', 'lives', 'bench', 'addon-workers', 'wrong-arguments'],
  ...['qemu-hypervisor', 'spinvm', 'systemd-units'],
].join('|')
const CAMPAIGNS = new RegExp(`^(?:${ONCE})$`)
const ALL_OTHERS = new RegExp(`^(?!(?:${ONCE})$)`)

/** @type {readonly Guest[]} */
const GUESTS = [
  {
    name: 'v1',
    shows: 'every controller in a cgroup v1 hierarchy, as on older hosts',
    kernel: ['systemd.unified_cgroup_hierarchy=0', 'systemd.legacy_systemd_cgroup_controller=yes'],
    lacks: [...IMAGE_LACKS, ...V2, ...USER, 'unified'],
    phases: [{ name: 'root', files: ALL_OTHERS }],
  },
  {
    name: 'hybrid',
    shows: 'cgroup v1 controllers beside a v2 tree without any; no pressure figures (psi=0)',
    kernel: ['systemd.unified_cgroup_hierarchy=0', 'psi=0'],
    lacks: [...IMAGE_LACKS, ...V2, ...USER],
    phases: [{ name: 'root', files: ALL_OTHERS }],
  },
  {
    name: 'v2',
    shows: 'cgroup v2 alone, as on hosts of today',
    kernel: ['psi=1'],
    lacks: [...IMAGE_LACKS, ...V1, ...USER],
    phases: [
      { name: 'root', files: ALL_OTHERS },
      { name: 'campaigns', files: CAMPAIGNS },
      {
        name: 'favordynmods',
        before: [['mount', '-o', 'remount,nsdelegate,memory_recursiveprot,favordynmods', '/sys/fs/cgroup']],
        files: /^(?:structure-v2|sandbox-placement)/,
      },
      { name: 'user', user: 'vmcg', files: /^(?:delegated|rootless)-v2/ },
    ],
  },
]

module.exports = { GUESTS }
