import { VmcgError, type VmcgErrorCode } from '../../errors'
import { quote, short } from '../quote'
import type { Demand } from './knob'

/** The refusal of a field's value: names the field, the value and the reason. */
export function refuse(
  code: VmcgErrorCode,
  field: string,
  value: unknown,
  why: string,
  hint?: string,
): VmcgError {
  return new VmcgError(code, `${field} ${quote(value)} ${why}`, { value: short(value), hint })
}

/** The same for what a field was turned into; a knob that goes back to "no limit" is named by its file. */
export function refuseDemand(
  code: VmcgErrorCode,
  { field, file, value }: Demand,
  why: string,
  hint?: string,
): VmcgError {
  return new VmcgError(code, `${field ?? file} ${value} ${why}`, { value: short(value), hint })
}

export interface Range {
  readonly min: number
  readonly max: number
  /** Whose range that is, such as `', the range of pids.max'`; shown after the two numbers. */
  readonly note?: string
}

/**
 * An integer of the given range, or undefined where the field is absent.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no integer or beyond 2^53, where a double would have rounded it.
 * @throws `ERR_VMCG_OUT_OF_RANGE` outside of the range.
 */
export function integer(field: string, value: unknown, { min, max, note = '' }: Range): number | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, 'is no number')
  if (!Number.isSafeInteger(value)) {
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, 'is no integer below 2^53')
  }
  if (value < min || value > max) {
    throw refuse('ERR_VMCG_OUT_OF_RANGE', field, value, `is not from ${min} to ${max}${note}`)
  }
  return value
}

/** The same for a field that its object cannot be without. */
export function requiredInteger(field: string, value: unknown, range: Range): number {
  const number = integer(field, value, range)
  if (number === undefined) throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, 'is no number')
  return number
}

/** An integer of a field whose 0 means "not set", as runc takes it (the Go types of the spec have 0 for both). */
export function integerUnlessZero(field: string, value: unknown, range: Range): number | undefined {
  return value === 0 ? undefined : integer(field, value, range)
}

/** Bytes for a v1 memory knob; `'-1'` is no limit, and 0 is "not set". */
export function bytesOrUnlimited(field: string, value: unknown): string | undefined {
  const bytes = integerUnlessZero(field, value, {
    min: -1,
    max: Number.MAX_SAFE_INTEGER,
    note: ' (bytes; -1 is no limit)',
  })
  return bytes === undefined ? undefined : String(bytes)
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is neither true, false nor absent. */
export function boolean(field: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, 'is neither true nor false')
}

/** @throws `ERR_VMCG_INVALID_ARGUMENT` for what is neither an object with members nor absent. */
export function section<T extends object>(field: string, value: T | undefined): T | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, 'is no object')
}

/**
 * The entries of a list with their field names, such as `'hugepageLimits[1]'`; none where it is absent.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no list of objects.
 */
export function entries<T extends object>(
  field: string,
  value: readonly T[] | undefined,
): readonly (readonly [field: string, entry: T])[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw refuse('ERR_VMCG_INVALID_ARGUMENT', field, value, 'is no list')
  return value.map((entry: T, index) => {
    const name = `${field}[${index}]`
    if (typeof entry === 'object' && entry !== null) return [name, entry] as const
    throw refuse('ERR_VMCG_INVALID_ARGUMENT', name, entry, 'is no object')
  })
}
