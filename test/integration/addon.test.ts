import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import {
  Batch,
  decodeResult,
  type OpResult,
  resultInspected,
  resultTasks,
  resultText,
} from '../../src/engine/batch'
import { native, OpCode } from '../../src/engine/native'
import { Fifo } from '../support/native-fifo'
import { describeWith } from '../support/require'

const { EAGAIN, EBADF, ECONNREFUSED, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTSOCK, EXDEV } = constants.errno
const FAST = 0
const SLOW = 1

const addon = native()
let directory: string
let root: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmcg-addon-'))
  root = addon.openRoot(directory)
})

afterEach(() => {
  addon.closeRoot(root)
  rmSync(directory, { recursive: true })
})

const at = (name: string) => join(directory, name)

function batchOf(add: (batch: Batch) => void): Batch {
  const batch = new Batch()
  add(batch)
  return batch
}

function submit(batch: Batch, done: (results: readonly OpResult[]) => void, lane = FAST): number {
  const { ops, strings, ids } = batch.pack()
  return addon.submitBatch(lane, ops, strings, ids, (result) => done(decodeResult(ops, result)))
}

function run(add: (batch: Batch) => void): Promise<readonly OpResult[]> {
  return new Promise((resolve, reject) => {
    const ticket = submit(batchOf(add), resolve)
    if (ticket < 0) reject(new Error(`submitBatch answered ${ticket}`))
  })
}

const errnos = (results: readonly OpResult[]) => results.map(({ errno }) => errno)

describe('the addon', () => {
  test('exports exactly the functions of the NativeAddon interface', () => {
    const file = join(__dirname, '../../src/engine/native.ts')
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest)
    const members = source.statements
      .filter(ts.isInterfaceDeclaration)
      .filter(({ name }) => name.text === 'NativeAddon')
      .flatMap(({ members }) => members.map((member) => member.name?.getText(source)))
    expect(Object.keys(addon).sort()).toEqual(members.sort())
  })
})

describe('openRoot', () => {
  test('answers with the errno of a directory that cannot be opened', () => {
    expect(addon.openRoot(at('missing'))).toBe(-ENOENT)
  })

  test('refuses a path with a NUL in it', () => {
    expect(addon.openRoot(`${directory}\0`)).toBe(-EINVAL)
  })

  test('gives ids that are not used again', () => {
    const first = addon.openRoot(directory)
    addon.closeRoot(first)
    const second = addon.openRoot(directory)
    addon.closeRoot(second)
    expect(second).not.toBe(first)
  })
})

describe('submitBatch', () => {
  test('makes, lists and removes directories', async () => {
    const results = await run((batch) => {
      batch.add(OpCode.MakeDir, root, 'kata')
      batch.add(OpCode.MakeDir, root, 'kata/sandbox')
      batch.add(OpCode.ListDirs, root, 'kata')
      batch.add(OpCode.RemoveDir, root, 'kata/sandbox')
    })
    expect(errnos(results)).toEqual([0, 0, 0, 0])
    expect(results.map(resultText)).toEqual(['', '', 'sandbox\0', ''])
    expect(existsSync(at('kata'))).toBe(true)
    expect(existsSync(at('kata/sandbox'))).toBe(false)
  })

  test('writes a value and reads it back, with any text in it', async () => {
    writeFileSync(at('knob'), '')
    const results = await run((batch) => {
      batch.add(OpCode.Write, root, 'knob', { value: 'größe 50000\n' })
      batch.add(OpCode.Read, root, 'knob')
    })
    expect(results.map(resultText)).toEqual(['', 'größe 50000\n'])
  })

  test('writes ids, and never one that means the writer', async () => {
    writeFileSync(at('tasks'), '')
    const [result] = await run((batch) => batch.add(OpCode.WriteIds, root, 'tasks', { ids: [17, 0, -3, 18] }))
    expect(result).toMatchObject({ errno: 0, done: 2 })
    expect(Array.from(result?.idErrnos ?? [])).toEqual([0, EINVAL, EINVAL, 0])
    expect(readFileSync(at('tasks'), 'utf8')).toBe('1718')
  })

  test('lists the threads of this process, the lane among them', async () => {
    const proc = addon.openRoot('/proc')
    const [result] = await run((batch) => batch.add(OpCode.ListTasks, proc, String(process.pid)))
    addon.closeRoot(proc)
    const tasks = result === undefined ? [] : resultTasks(result)
    const main = tasks.find(({ tid }) => tid === process.pid)
    const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    expect(main).toMatchObject({ flags: Number(fields[6]), startTime: Number(fields[19]) })
    expect(tasks.map(({ name }) => name)).toContain('vmcg-lane')
  })

  test('answers ENOENT or ESRCH for a process that is gone', async () => {
    const proc = addon.openRoot('/proc')
    const results = await run((batch) => batch.add(OpCode.ListTasks, proc, '0'))
    addon.closeRoot(proc)
    expect(errnos(results)).toEqual([ENOENT])
  })

  test('stops only the group of a failure, and names the system call', async () => {
    writeFileSync(at('knob'), 'ok')
    const results = await run((batch) => {
      batch.add(OpCode.Read, root, 'missing')
      batch.add(OpCode.Read, root, 'knob')
      batch.nextGroup()
      batch.add(OpCode.Read, root, 'missing', { isOptional: true })
      batch.add(OpCode.Read, root, 'knob')
    })
    expect(errnos(results)).toEqual([ENOENT, -1, ENOENT, 0])
    expect(results.map(resultText)).toEqual(['openat2', '', 'openat2', 'ok'])
  })

  test('does not leave its root', async () => {
    symlinkSync('/etc', at('out'))
    const results = await run((batch) => {
      for (const path of ['../etc/passwd', '/etc/passwd', 'out/passwd']) {
        batch.add(OpCode.Read, root, path, { isOptional: true })
      }
    })
    expect(errnos(results)).toEqual([EXDEV, EXDEV, EXDEV])
  })

  test('finishes a batch whose root is closed meanwhile', async () => {
    writeFileSync(at('knob'), 'ok')
    const other = addon.openRoot(directory)
    const results = run((batch) => batch.add(OpCode.Read, other, 'knob'))
    addon.closeRoot(other)
    expect((await results).map(resultText)).toEqual(['ok'])
  })

  test('refuses an unknown root', () => {
    expect(
      submit(
        batchOf((batch) => batch.add(OpCode.Read, 9999, 'knob')),
        fail,
      ),
    ).toBe(-EBADF)
  })

  test.each([
    ['half an operation', FAST, [4, 0, 0], [0]],
    ['an unknown opcode', FAST, [99, 0, 0, -1, -1, 0, 0, 0], []],
    ['a path that is not there', FAST, [4, 0, 7, -1, -1, 0, 0, 0], []],
    ['ids that are not there', FAST, [5, 0, 0, -1, -1, 0, 2, 0], [1]],
    ['an unknown lane', 3, [4, 0, 0, -1, -1, 0, 0, 0], []],
  ])('refuses %s', (_, lane, words, ids) => {
    words[1] = root
    expect(addon.submitBatch(lane, Int32Array.from(words), 'knob', Int32Array.from(ids), fail)).toBe(-EINVAL)
  })

  test('answers in the order of submission', async () => {
    const order: number[] = []
    const empty = { ops: new Int32Array(), ids: new Int32Array() }
    await new Promise<void>((resolve) => {
      for (let n = 0; n < 500; n += 1) {
        addon.submitBatch(FAST, empty.ops, '', empty.ids, () => {
          order.push(n)
          if (n === 499) resolve()
        })
      }
    })
    expect(order).toEqual(Array.from({ length: 500 }, (_, n) => n))
  })

  test('may be called from within a callback', async () => {
    const depth = await new Promise<number>((resolve) => {
      const next = (level: number): number =>
        submit(new Batch(), () => (level === 20 ? resolve(level) : next(level + 1)))
      next(0)
    })
    expect(depth).toBe(20)
  })
})

describeWith(['root'], 'extended attributes', () => {
  test('are set and read on a directory', async () => {
    const results = await run((batch) => {
      batch.add(OpCode.SetXattr, root, '.', { arg: 'trusted.vmcg', value: 'nonce' })
      batch.add(OpCode.Inspect, root, '.', { arg: 'trusted.vmcg', value: '' })
    })
    expect(results.map(({ errno }) => errno)).toEqual([0, 0])
    expect(resultInspected(results[1] as OpResult)).toEqual({ errnos: [0], texts: ['nonce'] })
  })
})

describe('cancelBatch', () => {
  test('takes back what has not started, and only that', async () => {
    // The fast lane may take all three in one burst.
    const fifo = new Fifo(at('fifo'))
    const finished: string[] = []
    const write = batchOf((batch) => batch.add(OpCode.Write, root, 'fifo', { value: 'x' }))
    const over = new Promise<void>((resolve) => {
      submit(write, () => finished.push('first'), SLOW)
      const second = submit(new Batch(), () => finished.push('second'), SLOW)
      submit(
        new Batch(),
        () => {
          finished.push('third')
          resolve()
        },
        SLOW,
      )
      expect(addon.cancelBatch(second)).toBe(true)
      expect(addon.cancelBatch(second)).toBe(false)
    })
    const reader = fifo.open()
    await over
    reader.release()
    expect(finished).toEqual(['first', 'third'])
  })

  test('knows no ticket that was never given', () => {
    expect(addon.cancelBatch(0)).toBe(false)
    expect(addon.cancelBatch(1e9)).toBe(false)
  })
})

describe('the lanes', () => {
  test('do not wait for each other', async () => {
    const fifo = new Fifo(at('fifo'))
    const write = batchOf((batch) => batch.add(OpCode.Write, root, 'fifo', { value: 'x' }))
    const slow = new Promise((resolve) => submit(write, resolve, SLOW))
    await new Promise((resolve) => submit(new Batch(), resolve, FAST))
    const reader = fifo.open()
    expect(await slow).toMatchObject([{ errno: 0 }])
    reader.release()
  })
})

describe('lockFile', () => {
  const holder = `${process.pid}\n`

  test('has one holder until its descriptor is closed', () => {
    const lock = addon.lockFile(at('lock'), holder)
    expect(lock).toBeGreaterThan(0)
    expect(statSync(at('lock')).mode & 0o777).toBe(0o600)
    expect(readFileSync(at('lock'), 'utf8')).toBe(holder)
    expect(addon.lockFile(at('lock'), holder)).toBe(-EAGAIN)
    expect(addon.closeFd(lock)).toBe(0)
    const next = addon.lockFile(at('lock'), holder)
    expect(next).toBeGreaterThan(0)
    addon.closeFd(next)
  })

  test('locks the file that bears the name now', () => {
    const old = addon.lockFile(at('lock'), holder)
    unlinkSync(at('lock'))
    const lock = addon.lockFile(at('lock'), holder)
    expect(addon.lockFile(at('lock'), holder)).toBe(-EAGAIN)
    for (const fd of [old, lock]) expect(addon.closeFd(fd)).toBe(0)
  })

  test('follows no link', () => {
    writeFileSync(at('target'), '')
    symlinkSync('target', at('lock'))
    expect(addon.lockFile(at('lock'), holder)).toBe(-ELOOP)
  })
})

describe('connectUnix and peerPid', () => {
  test('find the process behind a socket', async () => {
    const server = createServer().listen(at('socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    const socket = addon.connectUnix(at('socket'))
    expect(addon.peerPid(socket)).toBe(process.pid)
    expect(addon.closeFd(socket)).toBe(0)
    await new Promise((resolve) => server.close(resolve))
  })

  test('answer with the errno of what is not there', () => {
    writeFileSync(at('file'), '')
    mkdirSync(at('dir'))
    expect(addon.connectUnix(at('missing'))).toBe(-ENOENT)
    expect(addon.connectUnix(at('file'))).toBe(-ECONNREFUSED)
    expect(addon.connectUnix(at('x'.repeat(108)))).toBe(-ENAMETOOLONG)
    expect(addon.peerPid(-1)).toBe(-EBADF)
    expect(addon.peerPid(0)).toBe(-ENOTSOCK)
    expect(addon.closeFd(-1)).toBe(-EBADF)
  })
})

function fail(): never {
  throw new Error('a refused batch was run')
}
