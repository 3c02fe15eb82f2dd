export const MANAGER_PATH = '/org/freedesktop/systemd1'

/** What a systemd that a test plays knows of a unit. */
export interface FakeUnit {
  readonly name: string
  description: string
  activeState: string
  invocationId: string
  controlGroup: string
  pids: number[]
  job: number
}

export function jobPath(job: number): string {
  return job === 0 ? '/' : `${MANAGER_PATH}/job/${job}`
}

/** A unit's object path, in which systemd escapes what D-Bus does not take. */
export function unitPath(unit: string): string {
  return `${MANAGER_PATH}/unit/${unit.replace(/[^A-Za-z0-9]/g, (c) => `_${c.charCodeAt(0).toString(16)}`)}`
}

export function unitOfPath(path: string): string {
  const [, name = ''] = /\/unit\/(.*)$/.exec(path) ?? []
  return name.replace(/_([0-9a-f]{2})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** A property of a unit, or of systemd itself, as a variant: type and value. */
export function unitProperty(unit: FakeUnit | undefined, name: string): [string, unknown] {
  switch (name) {
    case 'Version':
      return ['s', '252.1-fake']
    case 'LoadState':
      return ['s', unit === undefined ? 'not-found' : 'loaded']
    case 'Description':
      return ['s', unit?.description ?? '']
    case 'ActiveState':
      return ['s', unit?.activeState ?? 'inactive']
    case 'SubState':
      return ['s', 'running']
    case 'InvocationID':
      return ['ay', Buffer.from(unit?.invocationId ?? '', 'hex')]
    case 'Job':
      return ['(uo)', [unit?.job ?? 0, jobPath(unit?.job ?? 0)]]
    default:
      return ['s', unit?.controlGroup ?? '']
  }
}
