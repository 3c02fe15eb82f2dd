import {
  addCounts,
  countGtest,
  countJest,
  formatCounts,
  formatLeftOut,
  formatSlowest,
  parseReport,
} from '../vm/report'

/** As jest writes it with --json, of three tests: one left out, one skipped, one that ran. */
const JEST = {
  numPassedTests: 1,
  numFailedTests: 2,
  numRuntimeErrorTestSuites: 1,
  testResults: [
    {
      assertionResults: [
        { status: 'passed', ancestorTitles: ['the kernel'] },
        { status: 'pending', ancestorTitles: ['devices [left out for lack of cgroup-v1, kvm]', 'deep'] },
        { status: 'pending', ancestorTitles: ['a crowd [needs nasm (apt-get install nasm)]'] },
      ],
    },
  ],
}

describe('what guests report', () => {
  test('counts tests, files that did not run, and apart what a boot lacks', () => {
    expect(countJest(JEST)).toEqual({
      passed: 1,
      failed: 3,
      skipped: 1,
      leftOut: { 'cgroup-v1, kvm': 1 },
    })
  })

  test('counts the tests of the core, and those that leave themselves out', () => {
    const suite = {
      name: 'CgroupV1',
      testsuite: [
        { result: 'COMPLETED' },
        { result: 'COMPLETED', failures: [{ failure: 'no' }] },
        { result: 'SKIPPED' },
        { result: 'SUPPRESSED' },
      ],
    }
    expect(countGtest({ testsuites: [suite] })).toEqual({
      passed: 1,
      failed: 1,
      skipped: 1,
      leftOut: { 'what CgroupV1 of the core needs': 1 },
    })
  })

  test('adds up over phases and guests', () => {
    const part = countJest(JEST)
    const sum = addCounts([part, part, { passed: 4, failed: 0, skipped: 0, leftOut: { kvm: 2 } }])
    expect(sum).toEqual({ passed: 6, failed: 6, skipped: 2, leftOut: { 'cgroup-v1, kvm': 2, kvm: 2 } })
    expect(formatCounts(sum)).toBe('6 passed, 6 failed, 2 skipped')
    expect(formatLeftOut(sum)).toEqual([
      'left out for lack of cgroup-v1, kvm: 2',
      'left out for lack of kvm: 2',
    ])
  })

  test('names the files and the tests that took more than their share of the time', () => {
    const test = (file: string, title: string, duration: number | null) => ({
      ancestorTitles: [file, 'the kernel'],
      fullName: `${file} the kernel ${title}`,
      duration,
    })
    const assertionResults = [
      ...Array.from({ length: 49 }, (_, index) => test('host.test.ts', `quick ${index}`, 1000)),
      test('host.test.ts', 'left out', null),
      test('demo.test.ts', 'long', 12_340),
      test('demo.test.ts', 'longer', 40_000),
    ]
    expect(
      formatSlowest({ testResults: [{ name: '/checkout/test/part.test.ts', assertionResults }] }),
    ).toEqual([
      '  52.3 s  demo.test.ts',
      '  49.0 s  host.test.ts',
      '  40.0 s  demo.test.ts: the kernel longer',
      '  12.3 s  demo.test.ts: the kernel long',
    ])
  })

  test('is read as far as it goes when a guest was ended in the middle of a line', () => {
    expect(parseReport('{"type":"end"}\n{"type":"jo')).toEqual([{ type: 'end' }])
    expect(parseReport('')).toEqual([])
  })

  test('says what was left out as the tests do', () => {
    const saved = { ...process.env }
    const titles: string[] = []
    const skip = jest.spyOn(describe, 'skip').mockImplementation((name) => titles.push(String(name)))
    process.env['VMCG_LACKS'] = 'delegated-v2'
    delete process.env['VMCG_DELEGATED']
    try {
      const { describeWith } = jest.requireActual<typeof import('../support/require')>('../support/require')
      describeWith(['delegated-v2'], 'a user', () => undefined)
    } finally {
      process.env = saved
      skip.mockRestore()
    }
    const report = { testResults: [{ assertionResults: [{ status: 'pending', ancestorTitles: titles }] }] }
    expect(countJest({ ...JEST, ...report }).leftOut).toEqual({ 'delegated-v2': 1 })
  })
})
