/** Freezes plain data and everything in it. A list of what is left to do, not recursion: data may be nested deeply. */
export function deepFreeze<T>(data: T): T {
  const left: unknown[] = [data]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value !== 'object' || value === null || Object.isFrozen(value)) continue
    Object.freeze(value)
    for (const member of Object.values(value)) left.push(member)
  }
  return data
}
