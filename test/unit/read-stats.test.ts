import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Batch } from '../../src/engine/batch'
import { Roots, submit } from '../../src/engine/lane'
import { type FigureFile, Meter, type MeterReading } from '../../src/engine/meter'
import { OpCode } from '../../src/engine/native'
import { numberOf, numbersFile } from '../../src/host/figure-file'
import { readStats } from '../../src/read-stats'
import { WriterFifo } from '../support/native-fifo'

// A plain directory stands in for a hierarchy, and a named pipe in it for a file over which the kernel takes long.

let mountPoint: string
let roots: Roots
const meters: Meter[] = []

beforeEach(() => {
  mountPoint = mkdtempSync(join(tmpdir(), 'vmcg-test-stats-'))
  roots = new Roots()
})
afterEach(() => {
  for (const meter of meters.splice(0)) meter.close()
  roots.close()
  rmSync(mountPoint, { recursive: true })
})

const USAGE: FigureFile = numbersFile('usage')

function source(name: string) {
  const form = roots.form(mountPoint, () => [{ ...USAGE, version: 1, mountPoint, directory: 0, groups: 1 }])
  const meter = new Meter(form, [`/${name}`])
  meters.push(meter)
  const stats = ([usage]: MeterReading) => numberOf(usage?.figures)
  return () => ({ meter, stats })
}

function fileOf(name: string): string {
  mkdirSync(join(mountPoint, name))
  return join(mountPoint, name, 'usage')
}

const OPTIONS = { groups: 1, timeoutMs: 60_000 }

it('settles each in the order given', async () => {
  const names = Array.from({ length: 100 }, (_, index) => `vm${index}`)
  for (const [index, name] of names.entries()) writeFileSync(fileOf(name), `${index}\n`)
  const { outcomes } = await readStats(names.map(source), OPTIONS)
  expect(outcomes).toEqual(names.map((_, value) => ({ status: 'fulfilled', value })))
})

it('settles one that cannot be opened with what that throws, and reads the others', async () => {
  writeFileSync(fileOf('a'), '7\n')
  const broken = () => {
    throw new Error('closed')
  }
  const { outcomes } = await readStats([broken, source('a')], OPTIONS)
  expect(outcomes).toMatchObject([
    { status: 'rejected', reason: { message: 'closed' } },
    { status: 'fulfilled', value: 7 },
  ])
})

describe('while the kernel takes long over a file', () => {
  let fifo: WriterFifo

  beforeEach(() => {
    fifo = new WriterFifo(fileOf('slow'))
  })

  test('those that are not read in time are told so', async () => {
    const reading = await readStats([source('slow')], { ...OPTIONS, timeoutMs: 20 })
    expect(reading.outcomes).toMatchObject([{ status: 'rejected', reason: { code: 'ERR_VMCG_TIMEOUT' } }])
    await fifo.letGoOfAny()
  })

  test('a call is given up at an abort', async () => {
    const controller = new AbortController()
    const reading = readStats([source('slow')], { ...OPTIONS, signal: controller.signal })
    controller.abort('enough')
    await expect(reading).rejects.toBe('enough')
    await fifo.letGoOfAny()
  })

  test('other work goes on', async () => {
    writeFileSync(fileOf('knob'), '1\n')
    const reading = readStats([source('slow')], OPTIONS)
    const batch = new Batch()
    batch.add(OpCode.Read, roots.id(mountPoint), 'knob/usage')
    expect(await submit(batch)).toMatchObject([{ errno: 0 }])
    expect(await submit(batch, { lane: 'slow' })).toMatchObject([{ errno: 0 }])
    await fifo.letGo()
    expect((await reading).outcomes).toHaveLength(1)
  })
})
