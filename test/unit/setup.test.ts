import { spawnSync } from 'node:child_process'
import { chownSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { satisfies } from '../../tools/setup'
import { type FakeCheckout, makeFakeCheckout } from '../support/fake-checkout'
import { describeWith } from '../support/require'

let checkout: FakeCheckout

beforeEach(() => {
  checkout = makeFakeCheckout()
})

afterEach(() => {
  checkout.remove()
})

async function stepsReach(count: number): Promise<void> {
  while (checkout.steps().length < count) await sleep(10)
}

/** What the run leaves behind that could block the next one. */
function locks(): string[] {
  return readdirSync(join(checkout.root, '.cache')).filter((name) => name.startsWith('setup.lock'))
}

describe('the set-up script', () => {
  test('installs, builds, and has nothing to do or to say the second time', async () => {
    const first = await checkout.setUp('build')
    expect(first.code).toBe(0)
    expect(first.stderr).toMatch(/installing.*\n.*native.*\n.*TypeScript/)
    expect(checkout.steps()).toEqual(['npm', 'node-gyp', 'tsc'])
    await expect(checkout.setUp('demo')).resolves.toEqual({ code: 0, signal: null, stderr: '' })
    expect(checkout.steps()).toHaveLength(3)
  })

  test('installs the test tools only for the tests, and what draws charts only for them and the bench', async () => {
    await checkout.setUp('demo')
    await checkout.setUp('bench')
    expect(checkout.steps()).toEqual(['npm', 'node-gyp', 'tsc', 'npm'])
    await checkout.setUp('test')
    expect(checkout.steps()).toEqual(['npm', 'node-gyp', 'tsc', 'npm', 'npm'])
  })

  test('installs what the build needs whatever NODE_ENV says, and runs no install script', async () => {
    await checkout.setUp('build', { NODE_ENV: 'production' })
    expect(checkout.calls()[0]).toMatch(/^npm ci --include=dev --ignore-scripts/)
  })

  test('gives node-gyp headers of its own, so that it downloads none', async () => {
    await checkout.setUp('build')
    const nodedir = / --nodedir=(\S+)/.exec(checkout.calls()[1] ?? '')?.[1] ?? ''
    expect(readFileSync(join(nodedir, 'include/node/common.gypi'), 'utf8')).toContain('Release')
  })

  test.each([
    ['src/index.ts', ['tsc']],
    ['src/more.ts', ['tsc']],
    ['native/core/a.cc', ['node-gyp']],
    ['binding.gyp', ['node-gyp']],
    ['package-lock.json', ['npm', 'node-gyp', 'tsc']],
    ['README.md', []],
  ])('after a change of %s it does %j again', async (path, steps) => {
    await checkout.setUp('build')
    checkout.write(path, '{ "changed": true }')
    await checkout.setUp('build')
    expect(checkout.steps().slice(3)).toEqual(steps)
  })

  test('a failed step shows its output and where the rest is, and is done again the next time', async () => {
    const failed = await checkout.setUp('build', { FAKE_FAIL: 'tsc' })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('tsc cannot do this')
    expect(failed.stderr).toContain(join(checkout.root, '.cache', 'typescript.log'))
    expect(locks()).toEqual([])
    await expect(checkout.setUp('build')).resolves.toMatchObject({ code: 0 })
    expect(checkout.steps()).toEqual(['npm', 'node-gyp', 'tsc', 'tsc'])
  })

  test('of two at once, one works and the other waits for it', async () => {
    const { env, letGo } = checkout.hold()
    const first = checkout.start('build', env)
    await stepsReach(1)
    const second = checkout.start('build', env)
    await second.says('waiting for it')
    letGo()
    const outcomes = await Promise.all([first.done, second.done])
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0])
    expect(outcomes[0].stderr).not.toContain('waiting for it')
    expect(checkout.steps()).toEqual(['npm', 'node-gyp', 'tsc'])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends the step and leaves no lock', async (name, code) => {
    const { child, done } = checkout.start('build', checkout.hold().env)
    await stepsReach(1)
    child.kill(name)
    await expect(done).resolves.toMatchObject({ code, signal: null })
    expect(locks()).toEqual([])
    await expect(checkout.setUp('build')).resolves.toMatchObject({ code: 0 })
  })

  test('takes over from one that was killed, but not before its last step has ended', async () => {
    const { env, letGo } = checkout.hold()
    const { child, done } = checkout.start('build', env)
    await stepsReach(1)
    child.kill('SIGKILL')
    await done
    const next = checkout.start('build')
    await next.says('waiting for it')
    letGo()
    await expect(next.done).resolves.toMatchObject({ code: 0 })
    expect(checkout.steps()).toEqual(['npm', 'npm', 'node-gyp', 'tsc'])
  })

  test('without a compiler it says how to get one, before it installs anything', async () => {
    const { code, stderr } = await checkout.setUp('build', { PATH: '/nonexistent' })
    expect(code).toBe(1)
    expect(stderr).toMatch(/needs g\+\+ and make and python3: .*apt-get install -y g\+\+ make python3/)
    expect(checkout.steps()).toEqual([])
  })

  test('refuses a goal that it does not know', async () => {
    await expect(checkout.setUp('world')).resolves.toMatchObject({
      code: 1,
      stderr: 'usage: node tools/setup.js demo|build|bench|test\n',
    })
  })
})

describe("the set-up script's first file", () => {
  const range = '>=20.19'

  test.each(['20.19.0', '20.20.2', '22.0.0', '24.1.0'])('takes Node %s', (version) => {
    expect(satisfies(version, range)).toBe(true)
  })

  test.each(['12.22.0', '18.20.0', '20.18.3'])('refuses Node %s', (version) => {
    expect(satisfies(version, range)).toBe(false)
  })

  test('parses on Node 12, so that it can say which Node is needed', () => {
    const source = readFileSync(join(__dirname, '../../tools/setup.js'), 'utf8')
    const options = { module: ModuleKind.CommonJS, removeComments: true }
    const emit = (target: ScriptTarget) =>
      transpileModule(source, { compilerOptions: { ...options, target } }).outputText
    expect(emit(ScriptTarget.ES2019)).toBe(emit(ScriptTarget.ESNext))
    expect(source).not.toMatch(/require\('node:/)
  })
})

describeWith(['root'], 'the set-up script as root', () => {
  const OWNER = 54321

  function owners(folder: string): number[] {
    return readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, String(name))).uid)
  }

  test('gives npm a home in the checkout when its owner has none', () => {
    const NOBODY = 65534
    chownSync(checkout.root, NOBODY, NOBODY)
    const script = `require(process.argv[1]).becomeOwner(process.argv[2]); console.log(process.env.HOME)`
    const owner = join(__dirname, '..', '..', 'tools', 'setup', 'owner.js')
    const { stdout } = spawnSync(process.execPath, ['-e', script, owner, checkout.root], { encoding: 'utf8' })
    expect(stdout.trim()).toBe(join(checkout.root, '.cache', 'home'))
  })

  test("leaves nothing of root's in somebody else's checkout", async () => {
    for (const name of ['', ...readdirSync(checkout.root, { recursive: true })]) {
      chownSync(join(checkout.root, String(name)), OWNER, OWNER)
    }
    await expect(checkout.setUp('test')).resolves.toMatchObject({ code: 0 })
    expect(checkout.steps()).toEqual(['npm', 'node-gyp', 'tsc', 'npm', 'npm'])
    expect(new Set(owners(checkout.root))).toEqual(new Set([OWNER]))
  })
})
