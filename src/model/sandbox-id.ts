import { VmcgError } from '../errors'
import { isKernelFileName } from './kernel-names'
import { quote, short } from './quote'

const SANDBOX_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

const RULE =
  'an id has 1 to 128 letters, digits, "_", "." and "-", begins with a letter or digit, and is no name of a kernel ' +
  'file such as tasks, cgroup.procs or cpu.max'

/**
 * Checks a sandbox id. It becomes the name of a directory in every hierarchy, so nothing may be in it that leads
 * elsewhere, and it may not be a name that the kernel gives to its own files there.
 *
 * @returns The id itself.
 * @throws `ERR_VMCG_INVALID_ID` for everything but 1 to 128 characters of `[A-Za-z0-9_.-]` that begin with a letter or
 *   digit; for `tasks`, `notify_on_release`, `release_agent`, `cgroup.*` and `<controller>.*`.
 */
export function checkSandboxId(id: unknown): string {
  if (typeof id === 'string' && SANDBOX_ID.test(id) && !isKernelFileName(id)) return id
  throw new VmcgError('ERR_VMCG_INVALID_ID', `${quote(id)} is no sandbox id: ${RULE}`, { value: short(id) })
}
