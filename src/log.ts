import type { pino } from 'pino'
import { VmcgError } from './errors'
import { quote, short } from './model/quote'

/** The part of a pino logger that vmcg uses; any logger of this shape can be passed. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

/**
 * The logger for those who pass none: silent, or pino on stderr at the level that `VMCG_LOG` names (`debug`, `info`,
 * `warn`, `error`). pino is loaded only then.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a level that pino does not have.
 */
export function defaultLogger(level: string | undefined = process.env['VMCG_LOG']): Logger {
  if (level === undefined || level === '' || level === 'silent') return SILENT
  if (!LEVELS.includes(level)) {
    throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `VMCG_LOG is ${quote(level)}, which is no log level`, {
      value: short(level),
      hint: `VMCG_LOG=debug, or one of ${LEVELS.join(', ')}; silent when it is not set`,
    })
  }
  const load = require('pino') as typeof pino
  return load({ name: 'vmcg', level }, load.destination({ fd: 2, sync: true }))
}
