/** Knobs that some kernels have beside another, or in its place, and that the same field is written to. */
const STAND_INS: readonly (readonly [place: RegExp, other: string])[] = [
  [/^hugetlb\.([^.]+)\.limit_in_bytes$/, 'hugetlb.$1.rsvd.limit_in_bytes'],
  [/^blkio\.bfq\.(weight.*)$/, 'blkio.$1'],
  [/^io\.weight (.*)$/, 'io.bfq.weight $1'],
]

/** A place (`placeOf`), and those where the same is kept on another kernel. */
export function withStandIns(place: string): readonly string[] {
  const others = STAND_INS.filter(([pattern]) => pattern.test(place))
  return [place, ...others.map(([pattern, other]) => place.replace(pattern, other))]
}
