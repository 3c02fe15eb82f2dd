import { CgroupError, errnoName, errnoText } from '../errors'
import { deviceProgram } from '../model/devices/device-program'
import type { SetDeviceProgram } from '../plan/operations'
import type { OpFields, OpResult } from './batch'
import { OpCode } from './native'
import { type ProgramRefusal, resultPrograms, resultRefusal } from './program-records'

/** The operation of a batch that carries it out. */
export function encodeProgram({ program, replaces }: SetDeviceProgram): OpFields & { readonly code: OpCode } {
  const arg = replaces?.id ?? 0
  if (program === null) return { code: OpCode.RemoveDeviceProgram, arg }
  const { name, instructions } = deviceProgram(program.access)
  return { code: OpCode.SetDeviceProgram, arg, value: name, ids: instructions }
}

/** What the outcome of a device program says beyond its errno. */
export interface ProgramResult {
  /** The id that the kernel gave to what was loaded. */
  readonly programId?: number
  readonly cause?: CgroupError
}

/**
 * @param subject whose rules these are.
 * @param directory of the cgroup.
 */
export function programResult(
  operation: SetDeviceProgram,
  result: OpResult,
  subject: string,
  directory: string,
): ProgramResult {
  if (result.errno > 0) return { cause: programError(operation, result, subject, directory) }
  const [record] = result.errno === 0 ? resultPrograms(result) : []
  return record === undefined ? {} : { programId: record.id }
}

function programError(
  operation: SetDeviceProgram,
  result: OpResult,
  subject: string,
  directory: string,
): CgroupError {
  const code = errnoName(result.errno)
  const refusal = resultRefusal(result)
  const { reason, hint } = whyRefused(code, refusal, operation, directory)
  const name = operation.program?.name ?? operation.replaces?.name ?? ''
  const deed = operation.program === null ? `take ${name} off` : `attach ${name} to`
  return new CgroupError(
    code,
    `${subject}: cannot ${deed} ${directory}: ${errnoText(result.errno)}${reason === undefined ? '' : ` (${reason})`}`,
    { errno: -result.errno, syscall: refusal.syscall, path: directory, value: name, hint },
  )
}

interface Why {
  readonly reason?: string | undefined
  readonly hint?: string | undefined
}

function whyRefused(
  code: string,
  { syscall, verifier }: ProgramRefusal,
  { replaces }: SetDeviceProgram,
  directory: string,
): Why {
  if (verifier !== '') return { reason: `the verifier says: ${lastWords(verifier)}` }
  const look = `bpftool cgroup show ${directory}`
  switch (code) {
    case 'EPERM':
      if (syscall.includes('GET_FD_BY_ID')) {
        return {
          reason: `getting the program with the id ${replaces?.id ?? 0} by its id needs CAP_SYS_ADMIN`,
          hint: 'run it as root: grep CapEff /proc/self/status',
        }
      }
      return {
        reason:
          'it needs CAP_BPF and CAP_NET_ADMIN of the host, a seccomp filter that lets bpf(2) through, and no program ' +
          'here or above that lets no other be attached; before Linux 5.11 programs also count as locked memory',
        hint: `grep -E 'CapEff|Seccomp' /proc/self/status; ${look}; ulimit -l`,
      }
    case 'E2BIG':
      if (syscall.includes('PROG_LOAD')) {
        return {
          reason: 'the verifier gives up on a program of so many rules',
          hint: 'allow devices by a wildcard instead of one by one, such as c 136:*',
        }
      }
      return { reason: 'the kernel attaches no more than 64 programs to one cgroup', hint: look }
    case 'ENOENT':
      return replaces === null
        ? {}
        : { reason: `or its program with the id ${replaces.id} is there no more`, hint: look }
    case 'EINVAL':
    case 'ENOSYS':
      return {
        reason: 'the kernel may have no device programs',
        hint: 'zgrep CGROUP_BPF /proc/config.gz /boot/config-$(uname -r)',
      }
    default:
      return {}
  }
}

/** The verifier tells all that it did before it says what is wrong, and counts behind that. */
function lastWords(verifier: string): string {
  const lines = verifier.split('\n').filter((line) => line !== '' && !line.startsWith('processed '))
  return lines.slice(-2).join('; ')
}
