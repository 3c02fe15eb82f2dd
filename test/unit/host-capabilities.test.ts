import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { effectiveCapabilities, lackedForPrograms } from '../../src/host/capabilities'

const NET_ADMIN = 1n << 12n
const SYS_ADMIN = 1n << 21n
const BPF = 1n << 39n

const status = (set: bigint) =>
  `Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t${set.toString(16).padStart(16, '0')}\n`

describe('capabilities', () => {
  it('are those in effect', () => {
    expect(effectiveCapabilities(status(0n))).toEqual(new Set())
    expect(effectiveCapabilities(status(BPF))).toEqual(new Set(['CAP_BPF']))
    expect(effectiveCapabilities(status(2n ** 41n - 1n))).toEqual(
      new Set(['CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_BPF']),
    )
  })

  it('are not known where the kernel does not say', () => {
    expect(effectiveCapabilities('Name:\tnode\n')).toBeUndefined()
  })
})

describe('for device programs', () => {
  let procRoot: string

  beforeEach(() => {
    procRoot = mkdtempSync(join(tmpdir(), 'vmcg-proc-'))
    mkdirSync(join(procRoot, 'self'))
  })
  afterEach(() => rmSync(procRoot, { recursive: true }))

  const lacked = (text: string) => {
    writeFileSync(join(procRoot, 'self', 'status'), text)
    return lackedForPrograms(procRoot)
  }

  it('are lacking one by one', () => {
    expect(lacked(status(0n))).toEqual(['CAP_BPF', 'CAP_NET_ADMIN'])
    expect(lacked(status(NET_ADMIN))).toEqual(['CAP_BPF'])
    expect(lacked(status(BPF))).toEqual(['CAP_NET_ADMIN'])
    expect(lacked(status(BPF | NET_ADMIN))).toEqual([])
  })

  it('are all there with CAP_SYS_ADMIN in place of CAP_BPF, which takes nothing else’s place', () => {
    expect(lacked(status(SYS_ADMIN | NET_ADMIN))).toEqual([])
    expect(lacked(status(SYS_ADMIN))).toEqual(['CAP_NET_ADMIN'])
  })

  it('are not refused on a guess', () => {
    expect(lacked('Name:\tnode\n')).toEqual([])
  })
})
