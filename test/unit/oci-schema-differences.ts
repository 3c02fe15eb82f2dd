/** Something that the official schema takes and vmcg's does not. Nothing is the other way round. */
export interface SchemaDifference {
  /** The JSON pointer of the member, without its beginning `/linux/resources`. */
  readonly where: RegExp
  /** What vmcg's validator says about it. */
  readonly message: RegExp
  readonly why: string
}

export const SCHEMA_DIFFERENCES: readonly SchemaDifference[] = [
  {
    where: /\/(?:limit|reservation|swap|kernel|kernelTCP|quota|realtimeRuntime|idle)$/,
    message: /^must be (?:<= 9007199254740991|>= -9007199254740991)$/,
    why: 'a JSON number beyond 2^53 is no longer the integer that was written',
  },
  {
    where: /\/(?:limit|shares|burst|period|realtimePeriod|rate)$/,
    message: /^must be <= 9007199254740991$/,
    why: 'the same for those without a sign',
  },
  {
    where: /^\/memory\/swappiness$/,
    message: /^must be <= 100$/,
    why: 'the specification’s text has 0 to 100, its schema any uint64',
  },
  {
    where: /^\/devices\/\d+\/type$/,
    message: /^must be equal to one of the allowed values$/,
    why: 'the text has a, c and b',
  },
  {
    where: /^\/devices\/\d+\/access$/,
    message: /^must match pattern/,
    why: 'the text has a composition of r, w and m',
  },
  {
    where: /^\/devices\/\d+\/(?:major|minor)$/,
    message: /^must be (?:>= -1|<= 4294967295)$/,
    why: 'the kernel has 32 bits for it, and -1 stands for every number',
  },
  {
    where: /^\/blockIO\/\w+\/\d+\/(?:major|minor)$/,
    message: /^must be (?:>= 0|<= 4294967295)$/,
    why: 'a limit is for one device, and no device has such a number',
  },
  {
    where: /^\/blockIO\/throttle\w+\/\d+$/,
    message: /^must have required property 'rate'$/,
    why: 'the text has it as required',
  },
  {
    where: /^\/unified\/$/,
    message: /^must be string$/,
    why: 'the official schema does not look at members whose name is empty',
  },
]
