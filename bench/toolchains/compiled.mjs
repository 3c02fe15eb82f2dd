import { spawnSync } from 'node:child_process'
import { readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, ROOT } from '../folders.mjs'

/**
 * A program of the bench, or what it takes to have it.
 *
 * @typedef {{ program: string } | { missing: string }} Built
 */

/** @param {readonly string[]} sources files or folders, below the checkout */
function newest(sources) {
  const files = sources.flatMap((source) => {
    const path = join(ROOT, source)
    if (!statSync(path).isDirectory()) return path
    return readdirSync(path, { recursive: true }).map((name) => join(path, String(name)))
  })
  return Math.max(...files.map((file) => statSync(file).mtimeMs))
}

/**
 * Compiles a program where that has not been done since its sources changed, into `build/bench`, or where
 * `VMCG_BENCH_BUILD` says.
 *
 * @param {object} options
 * @param {string} options.name of the program
 * @param {readonly string[]} options.sources files or folders, below the checkout
 * @param {(output: string) => readonly [string, ...string[]]} options.command
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {string} options.missing what to say where there is no such compiler
 * @param {RegExp} [options.missingText] what the compiler says where something else than itself is missing
 * @returns {Built}
 */
export function compiled({ name, sources, command, env = {}, missing, missingText }) {
  const program = join(makeFolder(process.env['VMCG_BENCH_BUILD'] ?? 'build/bench'), name)
  const built = statSync(program, { throwIfNoEntry: false })
  // The same time, as for make, is no older: where file times are whole seconds, both may be of one.
  if (built !== undefined && built.mtimeMs >= newest(sources)) return { program }

  // Renamed when it is whole: another run may be compiling, too.
  const unfinished = `${program}.${process.pid}`
  const [compiler, ...args] = command(unfinished)
  const { error, status, stderr } = spawnSync(compiler, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (error !== undefined || (status !== 0 && missingText?.test(stderr))) return { missing }
  if (status !== 0) throw new Error(`${name} does not compile:\n${stderr}`)
  renameSync(unfinished, program)
  return { program }
}
