import { resolve } from 'node:path'
import { CgroupError, isVmcgError } from 'vmcg'
import { fail } from './output.mjs'

/** The demo cannot run here, and nothing is wrong with it. */
export const EXIT_CANNOT_RUN = 2

/** What ends the demo, in words that need no stack trace. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {number} exitCode
   */
  constructor(message, exitCode) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The codes for a host, or a place on it such as a container, where no sandbox can be made. */
const NOT_SERVED = [
  'ERR_VMCG_CGROUP_TYPE',
  'ERR_VMCG_INTERNAL_PROCESSES',
  'ERR_VMCG_NO_CONTROLLER',
  'ERR_VMCG_UNSUPPORTED',
  'EROFS',
]

/** The kernel's codes for a user who may not make cgroups. */
const NO_RIGHTS = ['EACCES', 'EPERM']

/**
 * Tells the user what went wrong and what to do about it.
 *
 * @param {unknown} error
 * @returns {number} the exit code
 */
export function explainFailure(error) {
  if (error instanceof Failure) {
    fail(error.message)
    return error.exitCode
  }
  if (!isVmcgError(error)) {
    fail(error instanceof Error ? (error.stack ?? error.message) : String(error))
    return 1
  }
  const lacksRights = error instanceof CgroupError && NO_RIGHTS.includes(error.code)
  const remedy = lacksRights && process.geteuid?.() !== 0 ? sudoLine() : error.hint
  fail(`${error.message} (${error.code})${remedy === undefined ? '' : `\nWhat to do:\n\n  ${remedy}\n`}`)
  return lacksRights || NOT_SERVED.includes(error.code) ? EXIT_CANNOT_RUN : 1
}

function sudoLine() {
  const words = [process.execPath, resolve(process.argv[1] ?? '')]
  return ['sudo', ...words.map(shellQuoted)].join(' ')
}

/** @param {string} word */
function shellQuoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
