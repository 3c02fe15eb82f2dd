import * as fc from 'fast-check'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** What a member can be turned into: other types, and the numbers at which integer types end. */
const JUNK: readonly Json[] = [
  null,
  true,
  '',
  'x',
  'rwm',
  '2MB',
  0.5,
  ...[-(2 ** 64), -(2 ** 53), -1, 0, 100, 101],
  ...[16, 32, 53, 64].flatMap((bits) => [2 ** bits - 1, 2 ** bits]),
  [],
  [null],
  [{}],
  {},
  { '': 1 },
  { x: 1 },
]

interface Mutation {
  /** Which of all members, counted through. */
  readonly at: number
  /** undefined: the member goes. */
  readonly to: Json | undefined
}

/** The document with up to three of its members, at any depth, turned into something else or gone. */
export function mutationsOf<T extends object>(document: T): fc.Arbitrary<unknown> {
  const mutation = fc.record({ at: fc.nat(), to: fc.constantFrom(undefined, ...JUNK) })
  return fc.array(mutation, { maxLength: 3 }).map((mutations) => {
    const copy: Json = JSON.parse(JSON.stringify(document))
    for (const each of mutations) mutate(copy, each)
    return copy
  })
}

function mutate(root: Json, { at, to }: Mutation): void {
  const members = membersOf(root)
  const member = members[at % Math.max(members.length, 1)]
  if (member === undefined) return
  const [owner, key] = member
  if (to === undefined) Reflect.deleteProperty(owner, key)
  else Reflect.set(owner, key, structuredClone(to))
}

function membersOf(value: Json): (readonly [owner: object, key: string])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => [[value, key] as const, ...membersOf(member)])
}
