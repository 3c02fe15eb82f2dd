const SHOWN = 64

/** A refused value for an error's `value`: a text as it is, but cut after 64 characters; of an object its type. */
export function short(value: unknown): string {
  if (typeof value === 'string') return value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  return value === null ? 'null' : typeof value
}

/** The same for a message: texts in quotes and escaped as in JSON, so that they stay on one line. */
export function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(short(value)) : short(value)
}
