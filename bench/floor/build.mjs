import { spawnSync } from 'node:child_process'
import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, ROOT } from '../folders.mjs'

const SOURCE = join(ROOT, 'bench', 'floor', 'floor.c')

/**
 * Compiles the floor where that has not been done yet.
 *
 * @returns {string | undefined} the program; undefined where there is no compiler
 */
export function buildFloor() {
  const program = join(makeFolder('build/bench'), 'floor')
  const built = statSync(program, { throwIfNoEntry: false })
  if (built !== undefined && built.mtimeMs > statSync(SOURCE).mtimeMs) return program

  // Renamed when it is whole: another run may be compiling, too.
  const unfinished = `${program}.${process.pid}`
  const args = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-o', unfinished, SOURCE]
  const { error, status, stderr } = spawnSync(process.env['CC'] ?? 'cc', args, { encoding: 'utf8' })
  if (error !== undefined) return undefined
  if (status !== 0) throw new Error(`${SOURCE} does not compile:\n${stderr}`)
  renameSync(unfinished, program)
  return program
}
