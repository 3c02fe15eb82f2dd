import { parseTargets } from '../vm/debian'

describe("the sources of the guests' packages", () => {
  test("are the host's own of Debian main, each once", () => {
    const targets = [
      'http://mirror.example/debian trixie main Debian Packages',
      'http://mirror.example/debian trixie main Debian Packages',
      'http://mirror.example/debian trixie main Debian Translation-en',
      'http://mirror.example/debian trixie contrib Debian Packages',
      'http://mirror.example/debian trixie-updates main Debian Packages',
      'http://mirror.example/debian trixie-backports main Debian Packages',
      'http://mirror.example/security trixie-security main Debian Packages',
      'http://other.example/tools stable main Somebody Packages',
    ]
    expect(parseTargets(targets.join('\n'))).toEqual({
      suite: 'trixie',
      lines: [
        'deb http://mirror.example/debian trixie main',
        'deb http://mirror.example/debian trixie-updates main',
        'deb http://mirror.example/security trixie-security main',
      ],
    })
  })

  test('are none where apt knows no Debian', () => {
    expect(parseTargets('http://archive.example/ubuntu noble main Ubuntu Packages\n')).toBeUndefined()
    expect(parseTargets('')).toBeUndefined()
  })
})
