import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fifo } from '../support/native-fifo'
import { patience } from '../support/scale'

// Everything runs in processes of its own, so that a crash is a failed test and not the end of the test run.

const ADDON = join(__dirname, '..', '..', 'build', 'Release', 'vmcg.node')
const SUPPORT = join(__dirname, '..', 'support')
const HANGS_AFTER_MS = patience(120_000)

interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

function run(script: string, args: readonly string[]): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(SUPPORT, script), ...args], {
      timeout: HANGS_AFTER_MS,
      killSignal: 'SIGQUIT',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmcg-ending-'))
  new Fifo(join(directory, 'fifo'))
})

afterEach(() => rmSync(directory, { recursive: true }))

const end = (way: string) => run('native-ending.js', [ADDON, directory, way])

test(
  '100 workers can be terminated at random while their batches run',
  async () => {
    const ending = await run('native-worker-crowd.js', [ADDON, '100', '6'])
    expect(ending).toEqual({ code: 0, signal: null, stdout: 'all gone\n', stderr: '' })
  },
  HANGS_AFTER_MS + 10_000,
)

test('a worker can end while its batch waits in the kernel, and the lane goes on for the others', async () => {
  expect(await end('terminate-worker')).toEqual({
    code: 0,
    signal: null,
    stdout: 'the lane goes on\n',
    stderr: '',
  })
})

test('process.exit() does not wait for the batch that runs', async () => {
  expect(await end('exit')).toMatchObject({ code: 3, signal: null, stderr: '' })
})

test('process.exit() may be called by the callback of a batch', async () => {
  expect(await end('exit-in-done')).toMatchObject({ code: 3, signal: null, stderr: '' })
})

test('an exception ends the process as it does without a batch', async () => {
  const ending = await end('throw')
  expect(ending).toMatchObject({ code: 1, signal: null })
  expect(ending.stderr).toContain('thrown in the middle')
})

test('an exception of the callback is an uncaught exception', async () => {
  const ending = await end('throw-in-done')
  expect(ending).toMatchObject({ code: 1, signal: null })
  expect(ending.stderr).toContain('thrown by done')
})

test('SIGKILL ends the process in the middle of a batch', async () => {
  expect(await end('kill')).toMatchObject({ code: null, signal: 'SIGKILL' })
})

test('a pending batch keeps Node from exiting in the middle of an await', async () => {
  expect(await end('wait')).toEqual({ code: 0, signal: null, stdout: 'awaited\n', stderr: '' })
})

test('without a pending batch Node exits', async () => {
  expect(await end('idle')).toEqual({ code: 0, signal: null, stdout: 'idle\n', stderr: '' })
})

test('a cancelled batch is never heard of, and does not keep Node alive', async () => {
  expect(await end('cancel')).toEqual({ code: 0, signal: null, stdout: 'true\n', stderr: '' })
})
