import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(__dirname, '..', '..')
const DOCS = join(ROOT, 'docs')
const SAVED = join(DOCS, 'benchmarks', 'run.json')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcg-test-report-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

function report(run: string): { status: number | null; output: string } {
  const script = join(ROOT, 'bench', 'report', 'main.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, run, folder], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

describe('docs/benchmarks.md', () => {
  it('is what its saved run says, to the byte, with all charts', () => {
    expect(report(SAVED)).toMatchObject({ status: 0 })
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.includes('.'),
    )
    const charts = readdirSync(join(DOCS, 'benchmarks')).map((name) => join('benchmarks', name))
    expect(files.sort()).toEqual(['benchmarks.md', ...charts].sort())
    for (const name of files) {
      expect([name, readFileSync(join(folder, name), 'utf8')]).toEqual([
        name,
        readFileSync(join(DOCS, name), 'utf8'),
      ])
    }
  }, 60_000)

  it('is not made of a part of a run', () => {
    const run: { trials: unknown[] } = JSON.parse(readFileSync(SAVED, 'utf8'))
    const part = join(folder, 'part.json')
    writeFileSync(part, JSON.stringify({ ...run, trials: run.trials.slice(0, 1) }))
    const { status, output } = report(part)
    expect([status, output]).toEqual([1, expect.stringContaining('the report needs a whole run')])
  })
})
