import type { OciSpec } from '../generated/oci'

/** Where data leaves the schema, in ajv's words. */
export interface SpecError {
  /** JSON pointer of the member, `''` for the whole. */
  readonly instancePath: string
  /** Such as `'must be integer'`. */
  readonly message?: string
}

/** The generated validator. `errors` belongs to the last call and holds the first thing that was wrong. */
export interface SpecValidator {
  (data: unknown): data is OciSpec
  errors?: readonly SpecError[] | null
}
