const SHOWN = 64

/** A refused value for a message: escaped as in JSON, so that it stays on one line, and cut after 64 characters. */
export function quote(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > SHOWN ? `${JSON.stringify(value.slice(0, SHOWN))}…` : JSON.stringify(value)
  }
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  return value === null ? 'null' : typeof value
}
