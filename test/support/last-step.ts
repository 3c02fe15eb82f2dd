import type FileSystem from 'node:fs'
import { join } from 'node:path'
import { type NativeAddon, OP_WORDS, OpCode } from '../../src/engine/native'

// Ends a process between two steps that it takes outside of itself: a write to the kernel, or to a state file. The
// product knows nothing of it: what counts stands between the product and Node, and between the product and its addon.

/** Word of an operation: how many ids it writes. */
const ID_COUNT = 6

const WRITES: readonly number[] = [
  OpCode.MakeDir,
  OpCode.RemoveDir,
  OpCode.Write,
  OpCode.WriteIds,
  OpCode.SetXattr,
  OpCode.ReplaceFile,
]

/**
 * Has this process take so many steps and no more, counted from now on; `end` is called after the last one, and nothing
 * after it happens. A step is one write(2), mkdir, rmdir or setxattr below a cgroup mount (each id that is moved is
 * one), or one file of a state that is replaced or removed. To be called before vmcg's first use.
 */
export function endAfter(steps: number, end: () => void): void {
  let left = steps
  const took = (count: number): void => {
    left -= count
  }
  countUnlinks(() => {
    took(1)
    if (left === 0) end()
  })
  countNativeWrites(() => left, took, end)
}

function countUnlinks(took: () => void): void {
  const fileSystem = require('node:fs') as typeof FileSystem
  const { unlinkSync } = fileSystem
  const unlinkAndCount = (path: string): void => {
    unlinkSync(path)
    took()
  }
  Object.assign(fileSystem, { unlinkSync: unlinkAndCount })
}

function countNativeWrites(left: () => number, took: (count: number) => void, end: () => void): void {
  const path = require.resolve(join(__dirname, '..', '..', 'build', 'Release', 'vmcg.node'))
  const addon = require(path) as NativeAddon
  const submitBatch: NativeAddon['submitBatch'] = (lane, ops, strings, ids, done) => {
    const writes = writesOf(ops)
    if (writes < left()) {
      took(writes)
      return addon.submitBatch(lane, ops, strings, ids, done)
    }
    return addon.submitBatch(lane, firstWrites(ops, left()), strings, ids, end)
  }
  const module = require.cache[path]
  if (module === undefined) throw new Error(`${path} is not in the cache of modules`)
  module.exports = { ...addon, submitBatch }
}

function writesOf(ops: Int32Array): number {
  let writes = 0
  for (let at = 0; at < ops.length; at += OP_WORDS) writes += writesAt(ops, at)
  return writes
}

function writesAt(ops: Int32Array, at: number): number {
  const code = (ops[at] ?? 0) & 0xff
  if (!WRITES.includes(code)) return 0
  return code === OpCode.WriteIds ? (ops[at + ID_COUNT] ?? 0) : 1
}

/** The batch up to its n-th write. */
function firstWrites(ops: Int32Array, count: number): Int32Array {
  let left = count
  for (let at = 0; at < ops.length; at += OP_WORDS) {
    const writes = writesAt(ops, at)
    if (writes >= left) {
      const first = ops.slice(0, at + OP_WORDS)
      if (writes > 1) first[at + ID_COUNT] = left
      return first
    }
    left -= writes
  }
  return ops
}
