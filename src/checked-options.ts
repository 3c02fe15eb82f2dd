import type { Logger } from './log'
import {
  badArgument,
  checkObject,
  checkOptionalMs,
  checkOptionalText,
  checkSignal,
  hasMethods,
} from './model/argument'
import type { ActOptions } from './sandbox-options'

interface OpenOptions extends ActOptions {
  readonly stateDir?: string | undefined
  readonly writeTimeoutMs?: number | undefined
  readonly unsupported?: 'error' | 'warn' | undefined
  readonly mirror?: boolean | undefined
  readonly logger?: Logger | undefined
}

const LOGGER_METHODS = ['debug', 'info', 'warn', 'error']

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for options that are no object, and for a `signal` that is none. */
export function checkActOptions(options: ActOptions, name = 'options'): void {
  checkObject(name, options)
  checkSignal(options.signal)
}

/**
 * The options of everything that opens a state.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` as {@link checkActOptions}, and for a `stateDir`, `writeTimeoutMs`, `unsupported`, `mirror`
 *   or `logger` of no use.
 */
export function checkOpenOptions(options: OpenOptions, name = 'options'): void {
  checkActOptions(options, name)
  checkOptionalText('stateDir', options.stateDir)
  checkOptionalMs('writeTimeoutMs', options.writeTimeoutMs)
  const { logger, mirror, unsupported } = options
  if (mirror !== undefined && typeof mirror !== 'boolean')
    throw badArgument('mirror', 'true or false', mirror)
  if (unsupported !== undefined && unsupported !== 'error' && unsupported !== 'warn') {
    throw badArgument('unsupported', "'error' or 'warn'", unsupported)
  }
  if (logger !== undefined && !hasMethods(logger, LOGGER_METHODS)) {
    throw badArgument('logger', `an object with the methods ${LOGGER_METHODS.join(', ')}`, logger)
  }
}
