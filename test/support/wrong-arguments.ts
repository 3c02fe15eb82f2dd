import { isVmcgError } from '../../src/errors'

/** What somebody may pass by mistake in plain JavaScript, by the name that a test shows. */
export const WRONG_VALUES: readonly (readonly [name: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  // Above PID_MAX_LIMIT: no process has it.
  ['4194305', 2 ** 22 + 1],
  ['-1', -1],
  ['NaN', Number.NaN],
  ["''", ''],
  ["'x'", 'x'],
  ['true', true],
  ['{}', {}],
  ['[]', []],
  ['[null]', [null]],
  ['[{}]', [{}]],
  ['a symbol', Symbol('s')],
  ['a function', () => undefined],
  ['10n', 10n],
]

/** One function or method with one argument, or one member of its options, left to be filled in. */
export interface Sink {
  readonly name: string
  readonly pass: (value: unknown) => unknown
}

/** Calls with any value: where a type would say no, the checks at run time are what is looked at. */
export function callAny(target: unknown, args: readonly unknown[]): unknown {
  return Reflect.apply(target as () => unknown, undefined, args)
}

/** The same for a method of an object. */
export function callMethod(object: object, method: string, args: readonly unknown[]): unknown {
  return Reflect.apply(Reflect.get(object, method) as () => unknown, object, args)
}

/**
 * The places where a value can go wrong in a call: each of the arguments, and each named member of the last one.
 *
 * @param call does it with these arguments.
 * @param right arguments that work, of which one at a time is replaced.
 * @param members of the last argument.
 */
export function sinksOf(
  name: string,
  call: (args: readonly unknown[]) => unknown,
  right: readonly unknown[],
  members: readonly string[] = [],
): readonly Sink[] {
  const last = right.length - 1
  const replaced = (index: number, value: unknown) => right.map((arg, at) => (at === index ? value : arg))
  return [
    ...right.map((_, index) => ({
      name: `${name}, argument ${index + 1}`,
      pass: (value: unknown) => call(replaced(index, value)),
    })),
    ...members.map((member) => ({
      name: `${name}, ${member}`,
      pass: (value: unknown) => call(replaced(last, { ...Object(right[last]), [member]: value })),
    })),
  ]
}

/**
 * What came of it that is neither a result nor an error of ours, by the value that was passed; nothing is as it should
 * be.
 */
export async function strayErrors({ pass }: Sink): Promise<Record<string, string>> {
  const stray: Record<string, string> = {}
  for (const [name, value] of WRONG_VALUES) {
    try {
      await pass(value)
    } catch (error) {
      if (!isVmcgError(error)) stray[name] = String(error)
      else if (error.message.includes('[object')) stray[name] = error.message
    }
  }
  return stray
}
