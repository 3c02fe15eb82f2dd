import { CgroupError, isVmcgError, SystemdError, VmcgError } from './errors'

export function destroyed(id: string): VmcgError {
  return new VmcgError('ERR_VMCG_DESTROYED', `${id} has been destroyed`, {
    hint: 'make a new one with create()',
  })
}

export function notAttached(id: string, pid: number): VmcgError {
  return new VmcgError(
    'ERR_VMCG_NOT_ATTACHED',
    `sandbox ${id} holds the VMM ${pid}, and no hypervisor was attached to this object that could be asked for its threads`,
    {
      value: String(pid),
      hint: 'attach() it again, as with QemuHypervisor.connect({ socket }): for a QEMU of launch() that is sandbox.monitorSocket; apply() sets limits without it',
    },
  )
}

export function alreadyRunning(id: string, pid: number): VmcgError {
  return new VmcgError('ERR_VMCG_ALREADY_RUNNING', `sandbox ${id} holds a VMM already: process ${pid}`, {
    value: String(pid),
    hint: `end it first, with kill() or its own means: ps -p ${pid} -o pid,etime,args`,
  })
}

export function noScopeYet(id: string, unit: string): VmcgError {
  const message = `${id}: systemd makes ${unit} around a process, and none has been put into it yet`
  return new VmcgError('ERR_VMCG_NOT_ATTACHED', message, {
    value: unit,
    hint: 'launch() or attach() a VMM first (a CgroupManager: add() a process), then apply()',
  })
}

export function scopeGone(id: string, unit: string, cause?: unknown): SystemdError {
  const message = `${id}: ${unit} has ended with its last process, and its cgroups with it`
  return new SystemdError('ERR_VMCG_VM_GONE', message, {
    cause,
    value: unit,
    hint: `destroy() still works; to go on, attach() or launch() another VMM; journalctl -u ${unit} tells of the end`,
  })
}

export function isFrozen(id: string, directory: string): CgroupError {
  const message = `sandbox ${id} is frozen: nobody in it answers or starts until it is thawed`
  return new CgroupError('ERR_VMCG_BUSY', message, { path: directory, hint: 'thaw() it first' })
}

export function noThread(tid: number): VmcgError {
  return new VmcgError('ERR_VMCG_VM_GONE', `there is no thread ${tid}`, {
    value: String(tid),
    hint: `ls -d /proc/${tid}`,
  })
}

/** After this error the kernel may still do what was asked: what is remembered must not be taken back. */
export function goesOn(error: unknown): boolean {
  return isVmcgError(error) && error.code === 'ERR_VMCG_TIMEOUT'
}
