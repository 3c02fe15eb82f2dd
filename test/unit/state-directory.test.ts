import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareStateDirectory, stateDirectoryOf } from '../../src/state/state-directory'

let base: string
let directory: string

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'vmcg-test-'))
  directory = join(base, 'state')
})

afterEach(() => {
  jest.restoreAllMocks()
  rmSync(base, { recursive: true })
})

const refusal = (message: RegExp) =>
  expect.objectContaining({
    code: 'ERR_VMCG_STATE',
    path: directory,
    message: expect.stringMatching(message),
  })

it('is made for its owner alone, with what is above it', () => {
  directory = join(base, 'a', 'b')
  prepareStateDirectory(directory)
  expect(statSync(directory).mode & 0o7777).toBe(0o700)
  prepareStateDirectory(directory)
})

it.each([0o701, 0o710, 0o720, 0o755, 0o777])('is refused with mode %o, which lets others in', (mode) => {
  mkdirSync(directory)
  chmodSync(directory, mode)
  expect(() => prepareStateDirectory(directory)).toThrow(refusal(/open to others/))
})

it('is refused when it belongs to somebody else', () => {
  mkdirSync(directory, 0o700)
  const uid = process.geteuid?.() ?? 0
  jest.spyOn(process, 'geteuid').mockReturnValue(uid + 1)
  expect(() => prepareStateDirectory(directory)).toThrow(refusal(new RegExp(`belongs to uid ${uid}`)))
})

it('is refused when it is a link, also to a good directory', () => {
  mkdirSync(join(base, 'real'), 0o700)
  symlinkSync('real', directory)
  expect(() => prepareStateDirectory(directory)).toThrow(refusal(/not a directory/))
})

it.each([
  ['a file', () => writeFileSync(directory, '')],
  ['a link to nowhere', () => symlinkSync('nowhere', directory)],
])('is refused when %s stands in its place', (_, make) => {
  make()
  expect(() => prepareStateDirectory(directory)).toThrow(refusal(/cannot be made|not a directory/))
})

describe('one that is asked for', () => {
  it('stays where it is when the working directory changes', () => {
    expect(stateDirectoryOf('states')).toBe(join(process.cwd(), 'states'))
  })

  it('is refused where none can be made, at once', () => {
    for (const nowhere of ['/proc/vmcg/states', '/dev/null/states'])
      expect(() => prepareStateDirectory(nowhere)).toThrow(/cannot be made/)
  })
})

describe('the default', () => {
  const before = process.env['XDG_RUNTIME_DIR']

  afterEach(() => {
    if (before === undefined) delete process.env['XDG_RUNTIME_DIR']
    else process.env['XDG_RUNTIME_DIR'] = before
  })

  it('ignores the environment for root', () => {
    jest.spyOn(process, 'geteuid').mockReturnValue(0)
    process.env['XDG_RUNTIME_DIR'] = '/tmp/evil'
    expect(stateDirectoryOf(undefined)).toBe('/run/vmcg')
  })

  it("is in the user's runtime directory for everybody else", () => {
    jest.spyOn(process, 'geteuid').mockReturnValue(1000)
    process.env['XDG_RUNTIME_DIR'] = '/run/user/7'
    expect(stateDirectoryOf(undefined)).toBe('/run/user/7/vmcg')
    delete process.env['XDG_RUNTIME_DIR']
    expect(stateDirectoryOf(undefined)).toBe('/run/user/1000/vmcg')
  })
})
