import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SpawnError } from '../../src/errors'
import { Bench, container } from '../support/bench'
import { hierarchiesWith, isAlive } from '../support/cgroups'
import { endOf } from '../support/launches'
import { describeWith } from '../support/require'

const QUIET = { stdio: ['ignore', 'pipe', 'pipe'] } as const

describeWith(['root', 'cgroups'], 'launch', () => {
  let bench: Bench
  let dir: string

  beforeEach(() => {
    bench = new Bench()
    dir = mkdtempSync(join(tmpdir(), 'vmcg-test-launch-'))
  })

  afterEach(async () => {
    await bench.clear()
    rmSync(dir, { recursive: true })
  })

  /** Starts a shell, which writes down what it finds. */
  async function shell(script: string, options = {}) {
    const sandbox = await bench.sandbox()
    return endOf(await sandbox.launch('/bin/sh', ['-c', script], { ...QUIET, ...options }))
  }

  test('tells the exit code, and what was written to stdout and stderr', async () => {
    expect(await shell('echo out; echo err >&2; exit 7')).toEqual({
      stdout: 'out\n',
      stderr: 'err\n',
      code: 7,
      signal: null,
    })
  })

  test('passes stdin on until its end', async () => {
    const sandbox = await bench.sandbox()
    const cat = await sandbox.launch('cat')
    cat.stdin?.end('through a pipe')
    expect(await endOf(cat)).toEqual({ stdout: 'through a pipe', stderr: '', code: 0, signal: null })
  })

  test('has no streams for what is no pipe', async () => {
    const sandbox = await bench.sandbox()
    const process = await sandbox.launch('true', [], { stdio: 'ignore' })
    expect([process.stdin, process.stdout, process.stderr]).toEqual([null, null, null])
    expect(await process.exited).toEqual({ code: 0, signal: null })
  })

  test('tells by which signal it ended, and that nobody is there to be signalled after that', async () => {
    const sandbox = await bench.sandbox()
    const process = await sandbox.launch('sleep', ['1000'], QUIET)
    expect(process.kill('SIGTERM')).toBe(true)
    expect(await process.exited).toEqual({ code: null, signal: 'SIGTERM' })
    expect(process.kill()).toBe(false)
    expect(() => process.kill(1000)).toThrow('signal must be')
  })

  test('starts it with no signal ignored or blocked', async () => {
    const sandbox = await bench.sandbox()
    const { stdout } = await endOf(
      await sandbox.launch('grep', ['-E', '^Sig(Ign|Blk)', '/proc/self/status'], QUIET),
    )
    expect(stdout).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n')
  })

  test('leaves no descriptor open in it but its own', async () => {
    // The shell waits for ls meanwhile; of a pipe between two programs it would have an end open.
    expect((await shell('ls /proc/$$/fd; true')).stdout).toBe('0\n1\n2\n')
  })

  test('hands further descriptors to it, and leaves ours open', async () => {
    const path = join(dir, 'handed')
    writeFileSync(path, 'over')
    const fd = openSync(path, 'r')
    const { stdout } = await shell('cat <&3', { stdio: ['ignore', 'pipe', 'pipe', fd] })
    closeSync(fd)
    expect(stdout).toBe('over')
  })

  test('keeps directory, environment, user, groups and limits as they are given', async () => {
    const script =
      'pwd; echo "$A"; id -u; id -g; id -G; ulimit -n; ulimit -Hc; ps -o sid= -p $$ | tr -d " "; echo $$'
    const { stdout } = await shell(script, {
      cwd: '/usr',
      env: { A: 'given', PATH: '/usr/bin:/bin' },
      uid: 1234,
      gid: 1235,
      groups: [1236, 1237],
      rlimits: { nofile: { soft: 99, hard: 100 }, core: 0 },
      detached: true,
    })
    const [cwd, a, uid, gid, groups, files, core, session, pid] = stdout.trimEnd().split('\n')
    expect([cwd, a, uid, gid, groups, files, core]).toEqual([
      '/usr',
      'given',
      '1234',
      '1235',
      '1235 1236 1237',
      '99',
      '0',
    ])
    expect(session).toBe(pid)
  })

  test.each([
    ['a file that is not there', '/nowhere/vmm', 'ENOENT'],
    ['a name that is not in PATH', 'vmcg-no-such-program', 'ENOENT'],
    ['a file that may not be executed', '/etc/passwd', 'EACCES'],
    ['a directory', '/etc', 'EACCES'],
  ])('says why %s cannot be executed', async (_what, file, errno) => {
    const sandbox = await bench.sandbox()
    const error = await sandbox.launch(file).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SpawnError)
    expect(error).toMatchObject({ code: 'ERR_VMCG_SPAWN', step: 'exec', path: file, syscall: 'execve' })
    expect(String(error)).toContain(errno)
    expect(await sandbox.threads()).toEqual([])
  })

  test('says which limit the kernel does not grant, and where to see what it grants', async () => {
    const sandbox = await bench.sandbox()
    const error = await sandbox
      .launch('true', [], { rlimits: { nofile: 2 ** 40 } })
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_VMCG_SPAWN', step: 'rlimit', errno: -1 })
    expect(String(error)).toContain(
      `limit nofile to ${2 ** 40} (hard: ${2 ** 40}): operation not permitted (EPERM)`,
    )
    expect(error).toMatchObject({ hint: expect.stringContaining(`/proc/${process.pid}/limits`) })
  })

  test('asks no shell to run what is no program', async () => {
    const path = join(dir, 'text')
    writeFileSync(path, 'echo no\n', { mode: 0o755 })
    const sandbox = await bench.sandbox()
    await expect(sandbox.launch(path)).rejects.toMatchObject({ step: 'exec', errno: -8, path })
  })

  test('names the step that fails before the program is executed', async () => {
    const sandbox = await bench.sandbox()
    const cwd = join(dir, 'missing')
    await expect(sandbox.launch('true', [], { cwd })).rejects.toMatchObject({
      code: 'ERR_VMCG_SPAWN',
      step: 'cwd',
      errno: -2,
      path: cwd,
    })
  })

  test('can be tried again after it has failed', async () => {
    const sandbox = await bench.sandbox()
    await expect(sandbox.launch('/nowhere/vmm')).rejects.toMatchObject({ code: 'ERR_VMCG_SPAWN' })
    expect(await (await sandbox.launch('true')).exited).toEqual({ code: 0, signal: null })
  })

  test('refuses a second VMM while the first one lives, and takes one after it', async () => {
    const sandbox = await bench.sandbox()
    const first = await sandbox.launch('sleep', ['1000'], QUIET)
    await expect(sandbox.launch('true')).rejects.toMatchObject({
      code: 'ERR_VMCG_ALREADY_RUNNING',
      value: String(first.pid),
    })
    first.kill('SIGKILL')
    await first.exited
    expect(await (await sandbox.launch('true')).exited).toEqual({ code: 0, signal: null })
  })

  test.each([
    ['an empty file', ['', []], 'file must be'],
    ['arguments that are no strings', ['true', [1]], 'args[0] must be'],
    ['a NUL in an argument', ['true', ['a\0b']], 'args[0] must be'],
    ['an unknown limit', ['true', [], { rlimits: { files: 1 } }], 'rlimits must be'],
    [
      'a soft limit above the hard one',
      ['true', [], { rlimits: { core: { soft: 2, hard: 1 } } }],
      'core.soft must',
    ],
    ['a uid below 0', ['true', [], { uid: -1 }], 'uid must be'],
    ['a word that is no stdio', ['true', [], { stdio: ['pip'] }], 'stdio[0] must be'],
    [
      'a pipe from the fourth place on',
      ['true', [], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] }],
      'stdio[3] must',
    ],
    ['a QEMU that would daemonise', ['qemu-system-x86_64', ['-daemonize']], '-daemonize'],
  ])('refuses %s before anything is written', async (_what, args, message) => {
    const sandbox = await bench.sandbox({ containers: [container({ shares: 512 })] })
    const refused = Reflect.apply(sandbox.launch, sandbox, args)
    await expect(refused).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_ARGUMENT' })
    await expect(Reflect.apply(sandbox.launch, sandbox, args)).rejects.toThrow(message)
    expect(() =>
      readFileSync(`${hierarchiesWith()[0]?.mountPoint}${sandbox.paths.sandbox}/cgroup.procs`),
    ).toThrow()
  })

  test('rejects with the reason of a signal that was aborted before, and starts nothing', async () => {
    const sandbox = await bench.sandbox()
    await expect(sandbox.launch('true', [], { signal: AbortSignal.abort('no more') })).rejects.toBe('no more')
  })

  test('remembers the VMM for whoever takes the sandbox up later', async () => {
    const sandbox = await bench.sandbox()
    const process = await sandbox.launch('sleep', ['1000'], QUIET)
    await sandbox.close()
    const again = await bench.sandbox()
    await expect(again.launch('true')).rejects.toMatchObject({ value: String(process.pid) })
    await again.destroy({ processes: 'kill' })
    expect(await process.exited).toEqual({ code: null, signal: 'SIGKILL' })
    expect(isAlive(process.pid)).toBe(false)
  })
})
