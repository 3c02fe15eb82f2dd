import type { pino } from 'pino'

/** The part of a pino logger that vmcg uses; any logger of this shape can be passed. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * The logger for those who pass none: silent, or pino on stderr at the level that `VMCG_LOG` names (`debug`, `info`,
 * `warn`, `error`). pino is loaded only then.
 */
export function defaultLogger(level: string | undefined = process.env['VMCG_LOG']): Logger {
  if (level === undefined || level === '' || level === 'silent') return SILENT
  const load = require('pino') as typeof pino
  return load({ name: 'vmcg', level }, load.destination({ fd: 2, sync: true }))
}
