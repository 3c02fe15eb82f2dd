import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { makeImportsLazy } from '../../tools/setup/lazy-imports'

let dist: string

beforeEach(() => {
  dist = mkdtempSync(join(tmpdir(), 'vmcg-test-dist-'))
})
afterEach(() => rmSync(dist, { recursive: true }))

function compile(files: Readonly<Record<string, string>>): void {
  for (const [name, source] of Object.entries(files)) {
    const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 }
    const { outputText } = transpileModule(source, { compilerOptions })
    mkdirSync(join(dist, name, '..'), { recursive: true })
    writeFileSync(join(dist, name), outputText)
  }
  makeImportsLazy(dist)
}

function run(script: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

const MODULES = {
  'deep/loud.js': "console.log('loaded'); export const seven = 7; export class Base {}",
  'call.js': "import { seven } from './deep/loud'\nexport function call(): number { return seven }",
  'index.js': "export { call } from './call'\nexport type { Base } from './deep/loud'",
}

it('loads a module when something of it is first used, and once', () => {
  compile(MODULES)
  const index = JSON.stringify(join(dist, 'index.js'))
  const script = `import { call } from ${index}; console.log('imported'); console.log(call() + call())`
  expect(run(script)).toBe('imported\nloaded\n14\n')
})

it('loads a module at once where its class is extended', () => {
  compile({
    ...MODULES,
    'child.js': "import { Base } from './deep/loud'\nexport class Child extends Base {}",
  })
  expect(run(`import ${JSON.stringify(join(dist, 'child.js'))}`)).toBe('loaded\n')
})

it('can make objects of imported classes', () => {
  compile({
    ...MODULES,
    'make.js': "import { Base } from './deep/loud'\nexport const make = () => new Base()",
  })
  const script = `import { make } from ${JSON.stringify(join(dist, 'make.js'))}; console.log(make().constructor.name)`
  expect(run(script)).toBe('loaded\nBase\n')
})

it('leaves modules without imports as they are', () => {
  compile({ 'plain.js': 'export const text = "x_1.y"' })
  expect(run(`import { text } from ${JSON.stringify(join(dist, 'plain.js'))}; console.log(text)`)).toBe(
    'x_1.y\n',
  )
})
