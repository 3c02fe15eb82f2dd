import { VmcgError } from '../../errors'
import { quote, short } from '../quote'

/** Throws `ERR_VMCG_INVALID_ARGUMENT` for what is no version of cgroups. */
export function checkVersion(version: unknown): void {
  if (version === 1 || version === 2) return
  throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(version)} is no cgroup version (1 or 2)`, {
    value: short(version),
  })
}
