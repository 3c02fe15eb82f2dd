/**
 * Knobs that hold one line per device, interface or resource, each beginning with its name: one write changes one line.
 * `default` is the name of the line for all others. Source: kernel, Documentation/admin-guide/cgroup-v1/
 * {blkio-controller,net_prio,rdma}.rst and cgroup-v2.rst, nested keyed files.
 */
const KEYED =
  /^(?:blkio\..*_device|net_prio\.ifpriomap|io\.(?:bfq\.)?weight|io\.latency|io\.max|misc\.max|rdma\.max)$/

/** Those of them that show a line for everything there is; a name that is missing does not exist. */
const EXHAUSTIVE: readonly string[] = ['misc.max', 'net_prio.ifpriomap', 'rdma.max']

/** Those of them whose lines have a name for each of their numbers; a write changes only those that it names. */
const NAMED: readonly string[] = ['io.latency', 'io.max', 'rdma.max']

/** Knobs that show and set the same thing in other words. */
const ALIASES: ReadonlyMap<string, string> = new Map([['cpu.weight.nice', 'cpu.weight']])

/** The knob that this one is another form of; itself where it is none. */
export function aliasOf(file: string): string {
  return ALIASES.get(file) ?? file
}

export function isKeyed(file: string): boolean {
  return KEYED.test(file)
}

export function hasNamedLimits(file: string): boolean {
  return NAMED.includes(file)
}

export function showsEveryKey(file: string): boolean {
  return EXHAUSTIVE.includes(file)
}

/** The device or interface of a line, such as `'8:0'` of `'8:0 1048576'`. */
export function lineKey(line: string): string {
  const [key = ''] = line.split(' ', 1)
  return key
}

/** What a knob says of one device or interface, without its name; undefined where it has no line for it. */
export function lineFor(text: string, key: string): string | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${key} `))
  return line?.slice(key.length + 1)
}

/** What tells two writes apart that do not replace each other: the file and, where it has lines, what of the line. */
export function placeOf({ file, value }: { readonly file: string; readonly value: string }): string {
  if (!isKeyed(file)) return aliasOf(file)
  return `${file} ${hasNamedLimits(file) ? value.replaceAll(/=\S+/g, '') : lineKey(value)}`
}

/** Of the writes to the same place the last, where that stands. */
export function latestOfEach<T extends { readonly file: string; readonly value: string }>(
  writes: readonly T[],
): readonly T[] {
  const latest = new Map<string, T>()
  for (const write of writes) {
    latest.delete(placeOf(write))
    latest.set(placeOf(write), write)
  }
  return [...latest.values()]
}
