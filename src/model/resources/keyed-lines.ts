/**
 * Knobs that hold one line per device or interface, each beginning with its name: one write changes one line.
 * Source: kernel, Documentation/admin-guide/cgroup-v1/{blkio-controller,net_prio,rdma}.rst.
 */
const KEYED = /^(?:blkio\..*_device|net_prio\.ifpriomap|rdma\.max)$/

/** Those of them that show a line for every device or interface there is; a name that is missing does not exist. */
const EXHAUSTIVE: readonly string[] = ['net_prio.ifpriomap', 'rdma.max']

export function isKeyed(file: string): boolean {
  return KEYED.test(file)
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
  if (!isKeyed(file)) return file
  // A line of rdma.max has a name for each of its numbers, and a write changes only those that it names.
  return `${file} ${file === 'rdma.max' ? value.replaceAll(/=\S+/g, '') : lineKey(value)}`
}
