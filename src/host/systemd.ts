import { existsSync } from 'node:fs'

/**
 * True when systemd runs the host, as PID 1. In a container it is true only where the container runs a systemd of its own.
 *
 * Source: sd_booted(3).
 */
export function isSystemdHost(runRoot = '/run'): boolean {
  return existsSync(`${runRoot}/systemd/system`)
}
