import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const TOOLS = join(__dirname, '..', '..', 'tools')

/**
 * Stands in for npm, node-gyp and tsc: each notes its call; npm "installs" the other two. A step goes on once there is no
 * file `$FAKE_HOLD` any more, and fails where `$FAKE_FAIL` is its name.
 */
const FAKE_TOOL = `
const fs = require('node:fs')
const path = require('node:path')
const name = path.basename(__filename).replace(/(-cli)?\\.js$/, '')
fs.appendFileSync(path.join(process.env.FAKE_ROOT, 'calls'), [name, ...process.argv.slice(2)].join(' ') + '\\n')
const work = () => {
  if (process.env.FAKE_FAIL === name) {
    console.error(name + ' cannot do this')
    process.exit(3)
  }
  if (name === 'npm') {
    const modules = path.join(process.cwd(), 'node_modules')
    fs.rmSync(modules, { recursive: true, force: true })
    fs.mkdirSync(path.join(modules, 'node-api-headers', 'include'), { recursive: true })
    for (const tool of ['node-gyp/bin/node-gyp.js', 'typescript/bin/tsc']) {
      fs.mkdirSync(path.dirname(path.join(modules, tool)), { recursive: true })
      fs.copyFileSync(__filename, path.join(modules, tool))
    }
  }
  if (name === 'node-gyp') fs.mkdirSync('build', { recursive: true })
}
const begin = () => (fs.existsSync(process.env.FAKE_HOLD ?? '') ? setTimeout(begin, 10) : work())
begin()
`

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  readonly done: Promise<Outcome>
  /** Resolves once it has said this on stderr. */
  says(words: string): Promise<void>
}

export interface FakeCheckout {
  readonly root: string
  /** The calls of the stand-ins so far, such as `npm ci …`. */
  calls(): string[]
  /** The names in them: `['npm', 'node-gyp', 'tsc']`. */
  steps(): string[]
  start(goal: string, env?: NodeJS.ProcessEnv): Started
  /** Has the steps of what is started with this environment wait, until `letGo()`. */
  hold(): { readonly env: NodeJS.ProcessEnv; letGo(): void }
  setUp(goal: string, env?: NodeJS.ProcessEnv): Promise<Outcome>
  write(path: string, text: string): void
  remove(): void
}

function hasSaid(words: string): (outcome: Outcome) => void {
  return ({ stderr }) => {
    if (!stderr.includes(words)) throw new Error(`it ended without "${words}": ${stderr}`)
  }
}

/** A checkout with the real set-up script, and stand-ins for all that it calls. */
export function makeFakeCheckout(): FakeCheckout {
  const root = mkdtempSync(join(tmpdir(), 'vmcg-test-setup-'))
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  cpSync(join(TOOLS, 'setup.js'), join(root, 'tools', 'setup.js'), { recursive: true })
  cpSync(join(TOOLS, 'setup'), join(root, 'tools', 'setup'), { recursive: true })
  write('package.json', '{ "type": "commonjs", "engines": { "node": ">=20.19" } }')
  write('package-lock.json', '{}')
  write('test/package.json', '{}')
  write('test/package-lock.json', '{}')
  write('bench/report/package.json', '{}')
  write('bench/report/package-lock.json', '{}')
  write('src/index.ts', '')
  write('native/core/a.cc', '')
  write('binding.gyp', '{}')
  write('fake/npm-cli.js', FAKE_TOOL)

  const start: FakeCheckout['start'] = (goal, env = {}) => {
    const child = spawn(process.execPath, [join(root, 'tools', 'setup.js'), goal], {
      env: { ...process.env, npm_execpath: join(root, 'fake', 'npm-cli.js'), FAKE_ROOT: root, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr?.on('data', (chunk) => {
      stderr += String(chunk)
    })
    const done = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }))
    const says = async (words: string) => {
      while (!stderr.includes(words)) await Promise.race([sleep(10), done.then(hasSaid(words))])
    }
    return { child, done, says }
  }
  const calls = () => {
    try {
      return readFileSync(join(root, 'calls'), 'utf8').trimEnd().split('\n')
    } catch {
      return []
    }
  }
  const held = join(root, 'held')
  const hold: FakeCheckout['hold'] = () => {
    writeFileSync(held, '')
    return { env: { FAKE_HOLD: held }, letGo: () => rmSync(held) }
  }
  return {
    root,
    hold,
    calls,
    steps: () => calls().map((call) => call.split(' ')[0] ?? ''),
    start,
    setUp: (goal, env) => start(goal, env).done,
    write,
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}
