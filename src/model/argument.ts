import { VmcgError } from '../errors'
import { quote, short } from './quote'

/**
 * What callers in plain JavaScript pass is looked at once, where it comes in: what is of no use at all is refused by
 * name, before it fails as somebody else's TypeError deep inside, or is written to a state that cannot be read back.
 */

/** @param wanted such as `'an object'`. */
export function badArgument(name: string, wanted: string, value: unknown, hint?: string): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `${name} must be ${wanted}, not ${shown(value)}`, {
    value: short(value),
    hint,
  })
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'function' ? 'a function' : quote(value)
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no object with members. */
export function checkObject(name: string, value: unknown): void {
  if (!isObject(value)) throw badArgument(name, 'an object', value)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no array. */
export function checkList(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw badArgument(name, 'a list', value)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no array of objects, naming the entry. */
export function checkObjects(name: string, value: readonly unknown[]): void {
  checkList(name, value)
  for (const [index, entry] of value.entries()) checkObject(`${name}[${index}]`, entry)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no string. */
export function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw badArgument(name, 'a string', value)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is neither a string nor absent. */
export function checkOptionalText(name: string, value: unknown): void {
  if (value !== undefined) checkText(name, value)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is neither a number of 0 or more (`Infinity` is one) nor absent. */
export function checkOptionalMs(name: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value >= 0)) return
  throw badArgument(name, 'a number of milliseconds, 0 or more', value)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is neither true, false nor absent. */
export function checkOptionalBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw badArgument(name, 'true or false', value)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what can be no id of a process or thread. */
export function checkId(name: string, value: unknown): void {
  if (Number.isSafeInteger(value) && Number(value) > 0) return
  throw badArgument(name, 'a whole number above 0', value)
}

/**
 * Told by its shape: a signal of another realm is no instance of this one's AbortSignal.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is neither an AbortSignal nor absent.
 */
export function checkSignal(value: unknown): void {
  if (value === undefined) return
  const isSignal =
    isObject(value) &&
    typeof Reflect.get(value, 'aborted') === 'boolean' &&
    hasMethods(value, ['addEventListener', 'removeEventListener', 'throwIfAborted'])
  if (!isSignal) throw badArgument('signal', 'an AbortSignal', value)
}

export function hasMethods(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(Object(value), name) === 'function')
}
