import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TableDevice } from './resource-tables'

/** The block devices of this host, of those whose scheduler is wanted: `'[mq-deadline] none'`, `''` for none at all. */
export function blockDevices(isWanted: (scheduler: string) => boolean = () => true): TableDevice[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const device = /^(?<major>\d+):(?<minor>\d+)$/.exec(textOf(name, 'dev'))?.groups
    if (device === undefined || !isWanted(textOf(name, 'queue/scheduler'))) return []
    return [{ major: Number(device['major']), minor: Number(device['minor']) }]
  })
}

function textOf(disk: string, file: string): string {
  try {
    return readFileSync(join('/sys/block', disk, file), 'utf8').trim()
  } catch {
    return ''
  }
}
