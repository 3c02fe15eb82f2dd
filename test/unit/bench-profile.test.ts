import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const PROFILE = join(__dirname, '..', '..', 'bench', 'profile')

/** What a function of the bench, which is made of ES modules, returns for these arguments. */
function call(file: string, name: string, ...args: readonly unknown[]): unknown {
  const program = `import { ${name} } from ${JSON.stringify(join(PROFILE, file))}
    console.log(JSON.stringify(${name}(...${JSON.stringify(args)})))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  if (stderr !== '') throw new Error(stderr)
  return JSON.parse(stdout)
}

describe('the system calls of a driver', () => {
  it('are those of its runs, of all threads, also of calls that another one interrupts', () => {
    const log = [
      '10 openat(AT_FDCWD, "x", O_RDONLY) = 3',
      '10 write(1, "ready\\n", 6) = 6',
      '10 read(0, "prepare\\n", 4096) = 8',
      '10 mkdir("a", 0777) = 0',
      '10 write(1, "1.000\\n", 6) = 6',
      '10 read(0,  <unfinished ...>',
      '11 futex(0x1, FUTEX_WAKE, 1 <unfinished ...>',
      '10 <... read resumed>"run\\n", 4096) = 4',
      '11 <... futex resumed>) = 0',
      '11 write(5, "10", 2 <unfinished ...>',
      '10 close(3) = 0',
      '11 <... write resumed>) = 2',
      '11 write(5, "11", 2) = 2',
      '10 write(1, "7.000\\n", 6) = 6',
      '11 close(5) = 0',
      '10 read(0, "1\\n", 4096) = 2',
      '11 read(0, "run\\n", 4096) = 4',
      '10 write(1, "8.000\\n", 6) = 6',
      '10 read(0, "", 4096) = 0',
      '10 exit_group(0) = ?',
    ].join('\n')
    expect(call('calls.mjs', 'callsOfRuns', log)).toEqual([
      [
        ['write', 2],
        ['close', 1],
      ],
      [['read', 1]],
    ])
  })
})

describe('the parts of a program', () => {
  const frame = (functionName: string, url = '') => ({ callFrame: { functionName, url } })
  const nodes = [
    { id: 1, ...frame('(idle)') },
    { id: 2, ...frame('submit', 'file:///x/dist/engine/lane.js') },
    { id: 3, ...frame('planSandbox', '/x/dist/plan/plan-sandbox.js') },
    { id: 4, ...frame('refresh', '/x/dist/sandbox.js') },
    { id: 5, ...frame('readdir', 'node:fs') },
    { id: 6, ...frame('(garbage collector)') },
    { id: 7, ...frame('run', 'file:///x/bench/drivers/vmcg/place.mjs') },
  ]

  it('are the time that was sampled in the runs, by folder', () => {
    const samples = [3, 1, 2, 2, 5, 4, 6, 7, 3]
    const profile = { nodes, startTime: 1000, samples, timeDeltas: samples.map(() => 10) }
    const runs = [
      [1000, 1015],
      [1018, 1065],
      [1068, 1085],
    ]
    const parts = call('parts.mjs', 'partsOf', { profile, runs }, 1) as readonly (readonly [string, number])[]
    expect(parts[0]).toEqual(['src/engine', 2 / 7])
    expect(parts.slice(1).sort()).toEqual(
      ['Node', 'garbage collection', 'src', 'the bench', 'waiting'].map((part) => [part, 1 / 7]),
    )
  })
})
