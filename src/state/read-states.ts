import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isVmcgError, type VmcgError } from '../errors'
import { checkStateDirectory } from './state-directory'
import { readState, type SandboxState } from './state-file'

/** Not the temporary file that a crash has left, and nothing that somebody has put beside ours. */
const STATE_FILE = /^[0-9a-f]{32}\.json$/

/**
 * Every state in a directory, by file name, without its lock: a state is replaced as a whole, so that each one is
 * whole. One that cannot be read is its error, and hides no other. A directory that is not there has none.
 *
 * @throws `ERR_VMCG_STATE` for a directory that others could write to, or that cannot be read.
 */
export async function readStates(directory: string): Promise<readonly (SandboxState | VmcgError)[]> {
  const names = await fileNames(directory)
  const states: (SandboxState | VmcgError)[] = []
  for (const name of names.filter((each) => STATE_FILE.test(each)).sort()) {
    const state = await readState(join(directory, name)).catch(orError)
    if (state !== undefined) states.push(state)
  }
  return states
}

async function fileNames(directory: string): Promise<string[]> {
  try {
    checkStateDirectory(directory)
    return await readdir(directory)
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return []
    throw error
  }
}

function orError(error: unknown): VmcgError {
  if (isVmcgError(error)) return error
  throw error
}
