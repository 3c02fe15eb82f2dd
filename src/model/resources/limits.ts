import { isKept } from './kept'
import { isKeyed } from './keyed-lines'
import { unlimitedValue } from './unlimited'

/** Knobs that hold back. A weight or a period that goes back to its default sets nobody free. */
const LIMIT = /(?:cfs_quota_us|limit_in_bytes|throttle\..*_device|\.max|memory\.high)$/

export function isLimit(knob: string): boolean {
  return LIMIT.test(knob)
}

/** @param text as it is written, or as the kernel writes it: -1 bytes read as the largest number of whole pages. */
export function isUnlimited(knob: string, text: string): boolean {
  // Whatever the period is.
  if (knob === 'cpu.max') return text.startsWith('max')
  const unlimited = unlimitedValue(knob, text)
  if (unlimited === undefined || isKeyed(knob)) return unlimited === text
  return text === unlimited || isKept(knob, unlimited, text)
}
