import { VmcgError } from '../../errors'
import { quote, short } from '../quote'

/** Throws for everything but version 1: `ERR_VMCG_UNSUPPORTED` for 2, `ERR_VMCG_INVALID_ARGUMENT` for no version. */
export function requireV1(version: unknown): void {
  if (version === 1) return
  if (version === 2) {
    throw new VmcgError('ERR_VMCG_UNSUPPORTED', 'resources on cgroup v2 are not served yet', { value: '2' })
  }
  throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${quote(version)} is no cgroup version (1 or 2)`, {
    value: short(version),
  })
}
