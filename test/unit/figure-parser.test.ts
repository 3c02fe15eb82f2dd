import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type FigureFile, Meter, readMeters } from '../../src/engine/meter'
import { FigureFormat } from '../../src/engine/native'
import { Roots } from '../../src/engine/roots'
import { fieldsFile, numbersFile } from '../../src/host/figure-file'
import { MEMORY_STAT } from '../../src/host/stat-files-v1'
import { IO_STAT, pressureFile } from '../../src/host/stat-files-v2'
import { figuresOfText } from '../support/figures-of-text'

// The native parser is held to one that is written for reading.

let directory: string
const roots = new Roots()

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmcg-test-figures-'))
  mkdirSync(join(directory, 'vm'))
})
afterEach(() => rmSync(directory, { recursive: true }))
afterAll(() => roots.close())

const FILES: readonly FigureFile[] = [
  numbersFile('numbers'),
  numbersFile('nanoseconds', 1000),
  fieldsFile('fields', ['user', 'system', 'a b', 'time/1000']),
  { ...pressureFile('cpu'), file: 'pressure' },
  { file: 'blkio', format: FigureFormat.LineDevices, fields: ['Read', 'Write'] },
  IO_STAT,
  { file: 'tasks', format: FigureFormat.LineCount, fields: [] },
  MEMORY_STAT,
]

async function nativeFigures(text: string): Promise<readonly (readonly number[])[]> {
  for (const { file } of FILES) writeFileSync(join(directory, 'vm', file), text)
  const form = roots.form(directory, () =>
    FILES.map((file) => ({ ...file, version: 1, mountPoint: directory, directory: 0, groups: 1 })),
  )
  const meter = new Meter(form, ['/vm'])
  try {
    const { meters } = await readMeters([meter], 1).done
    return FILES.map((_, index) => Array.from(meters[0]?.[index]?.figures ?? []))
  } finally {
    meter.close()
  }
}

const word = fc.oneof(
  fc.constantFrom('user', 'system', 'a', 'b', 'time', 'Read', 'Write', 'Total', 'some', 'full', 'max', ''),
  fc.constantFrom('8:0', '254:16', '8:', ':0', '4294967296:0', '(unknown)', 'total_rss', 'total_cache'),
  fc.constantFrom('avg10=0.25', 'total=77', 'rbytes=4096', 'wios=3', 'rios=', '=4', 'x=1=2', 'wbytes=max'),
  fc.constantFrom(
    '1.50',
    '.5',
    '1.',
    '1e3',
    '0x10',
    '+1',
    '-1',
    '--1',
    '-',
    '007',
    '12a',
    '1.2.3',
    'inf',
    'nan',
  ),
  fc.bigInt({ min: 0n, max: 2n ** 65n }).map(String),
)
const line = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '))
const text = fc.array(line, { maxLength: 8 }).map((lines) => lines.join('\n'))

it('finds the same figures in any text', async () => {
  const isSame = fc.asyncProperty(text, async (any) => {
    expect(await nativeFigures(any)).toEqual(FILES.map((file) => figuresOfText(file, any)))
  })
  await fc.assert(isSame, { numRuns: 500 })
})
