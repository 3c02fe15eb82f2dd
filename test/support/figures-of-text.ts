import type { FigureFile, Figures } from '../../src/engine/meter'
import { FigureFormat } from '../../src/engine/native'
import type { FiguresOf } from '../../src/host/figure-file'
import type { GroupedFile } from '../../src/host/stats-groups'

/**
 * The figures of a file's text, as `FigureFormat` says: what the native parser is held to, written for reading rather
 * than for speed.
 */
export function figuresOfText({ format, fields }: FigureFile, text: string): Figures {
  const lines = text.split('\n')
  switch (format) {
    case FigureFormat.Numbers: {
      const words = lines.flatMap((line) => line.split(' ')).filter((word) => word !== '')
      return [words.length, ...words.map((word) => numberIn(word, divisorOf(fields[0] ?? '')))]
    }
    case FigureFormat.Fields:
      return row(fields, lines.map(atLastSpace))
    case FigureFormat.Pairs:
      return row(
        fields,
        lines.flatMap((line) => {
          const [label = '', ...pairs] = line.split(' ')
          return pairs.flatMap(pairIn).map(([name, word]): Named => [`${label} ${name}`, word])
        }),
      )
    case FigureFormat.LineDevices:
      return rows(joined(lines.flatMap(lineDevice)), fields)
    case FigureFormat.PairDevices:
      return rows(lines.flatMap(pairDevice), fields)
    case FigureFormat.LineCount:
      return [lines.length - 1]
  }
}

/** Looks the figures of these files up in their texts, which end without a newline as tests write them. */
export function figuresOfTexts(
  files: readonly GroupedFile[],
  texts: Readonly<Record<string, string>>,
): FiguresOf {
  return (name) => {
    const text = texts[name]
    const file = files.find((each) => each.file.file === name)?.file
    return text === undefined || file === undefined ? undefined : figuresOfText(file, `${text}\n`)
  }
}

type Named = readonly [name: string, word: string]

interface Device {
  readonly number: string
  readonly named: readonly Named[]
}

function divisorOf(field: string): bigint {
  return BigInt(field.split('/')[1] ?? 1)
}

function numberIn(word: string, divisor: bigint): number {
  if (word === 'max') return Number.POSITIVE_INFINITY
  if (/^\d+\.\d+$/.test(word)) return Number(word)
  if (!/^-?\d+$/.test(word)) return Number.NaN
  const size = BigInt(word.replace('-', ''))
  if (size >= 2n ** 64n) return Number.NaN
  return (word.startsWith('-') ? -1 : 1) * Number(size / divisor)
}

/** The last of a name counts. */
function row(fields: readonly string[], named: readonly Named[]): readonly number[] {
  const words = new Map(named)
  return fields.map((field) => numberIn(words.get(field.split('/')[0] ?? '') ?? '', divisorOf(field)))
}

function rows(devices: readonly Device[], fields: readonly string[]): readonly number[] {
  const figures = devices.flatMap(({ number, named }) => [
    ...number.split(':').map(Number),
    ...row(fields, named),
  ])
  return [devices.length, ...figures]
}

/** The name ends at the last space; a line without one is all number. */
function atLastSpace(line: string): Named {
  const end = line.lastIndexOf(' ')
  return end < 0 ? ['', line] : [line.slice(0, end), line.slice(end + 1)]
}

function pairIn(pair: string): readonly Named[] {
  const equals = pair.indexOf('=')
  return equals < 0 ? [] : [[pair.slice(0, equals), pair.slice(equals + 1)]]
}

function isDevice(word: string): boolean {
  const numbers = /^(\d+):(\d+)$/.exec(word)?.slice(1).map(Number) ?? []
  return numbers.length === 2 && numbers.every((number) => number < 2 ** 32)
}

function lineDevice(line: string): readonly Device[] {
  const [before, word] = atLastSpace(line)
  const [number = '', ...name] = before.split(' ')
  return isDevice(number) ? [{ number, named: [[name.join(' '), word]] }] : []
}

/** Lines that follow one another and are of the same device are one. */
function joined(devices: readonly Device[]): readonly Device[] {
  const starts = devices.flatMap(({ number }, index) =>
    devices[index - 1]?.number === number ? [] : [index],
  )
  return starts.map((start, index) => {
    const lines = devices.slice(start, starts[index + 1])
    return { number: lines[0]?.number ?? '', named: lines.flatMap(({ named }) => named) }
  })
}

function pairDevice(line: string): readonly Device[] {
  const words = line.replace(/ +$/, '').split(' ')
  const lastOther = words.findLastIndex((word) => !word.includes('='))
  const number = words[lastOther] ?? ''
  const pairs = words.slice(lastOther + 1)
  return isDevice(number) && pairs.length > 0 ? [{ number, named: pairs.flatMap(pairIn) }] : []
}
