import { readArguments, UsageError } from '../vm/arguments'

const NAMES = ['v1', 'hybrid', 'v2']

describe('the arguments of npm run test:vm', () => {
  test.each([
    [[], { guests: NAMES, patterns: [] }],
    [['v2'], { guests: ['v2'], patterns: [] }],
    [['v2', 'v1'], { guests: ['v1', 'v2'], patterns: [] }],
    [['v2', 'cgroup-stats'], { guests: ['v2'], patterns: ['cgroup-stats'] }],
    [['cgroup-stats', 'v2'], { guests: NAMES, patterns: ['cgroup-stats', 'v2'] }],
    [['--brief'], { guests: NAMES, patterns: [], brief: true }],
    [['v1', '--shell'], { guests: ['v1'], shell: true }],
    [['--exec', 'uname -r'], { guests: NAMES, command: 'uname -r' }],
    [['v2', '--', 'kill'], { guests: ['v2'], patterns: ['kill'] }],
    [['-h'], { help: true }],
  ])('%j are understood', (argv, expected) => {
    expect(readArguments(argv, NAMES)).toMatchObject(expected)
  })

  test.each([
    [['--shell'], /needs the name of one guest: v1, hybrid, v2/],
    [['v1', 'v2', '--shell'], /needs the name of one guest/],
    [['v2', 'kill', '--shell'], /no guest is named kill: there are v1, hybrid, v2/],
    [['v3', '--exec', 'true'], /no guest is named v3/],
    [['v2', '--shell', '--exec', 'true'], /exclude each other/],
    [['v1', 'kill', '--brief'], /no patterns/],
    [['--fast'], /Unknown option '--fast'/],
    [['v2', '--exec'], /'--exec <value>' argument missing/],
  ])('%j are refused', (argv, message) => {
    expect(() => readArguments(argv, NAMES)).toThrow(UsageError)
    expect(() => readArguments(argv, NAMES)).toThrow(message)
  })
})
