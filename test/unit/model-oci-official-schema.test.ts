import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { validateSpec } from '../../src/model/generated/validate-spec'
import { mutationsOf } from '../support/mutations'
import { officialValidator } from '../support/official-oci-schema'
import { describeWith } from '../support/require'
import { SCHEMA_DIFFERENCES } from './oci-schema-differences'

/** Any will do; this one shows every difference of the list. */
const SEED = 1

/** Every member that vmcg reads. */
const LINUX = {
  cgroupsPath: '/pods/1',
  resources: {
    devices: [{ allow: true, type: 'c', major: 10, minor: 232, access: 'rwm' }, { allow: false }],
    memory: {
      limit: 2 ** 30,
      reservation: 2 ** 29,
      swap: 2 ** 31,
      kernel: -1,
      kernelTCP: -1,
      swappiness: 60,
      disableOOMKiller: false,
      useHierarchy: true,
      checkBeforeUpdate: true,
    },
    cpu: {
      shares: 1024,
      quota: -1,
      burst: 0,
      period: 100_000,
      realtimeRuntime: 0,
      realtimePeriod: 1_000_000,
      cpus: '0-3',
      mems: '0',
      idle: 0,
    },
    pids: { limit: 100 },
    blockIO: {
      weight: 500,
      leafWeight: 500,
      weightDevice: [{ major: 8, minor: 0, weight: 100, leafWeight: 100 }],
      throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }],
      throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 1 }],
      throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 1 }],
      throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 1 }],
    },
    hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    network: { classID: 1, priorities: [{ name: 'eth0', priority: 1 }] },
    rdma: { mlx5_0: { hcaHandles: 1, hcaObjects: 1 } },
    unified: { 'memory.high': 'max' },
  },
}

describeWith(['oci-schema'], 'the schema, beside the one that the specification comes with,', () => {
  const documents = fc.sample(mutationsOf({ linux: LINUX }), { seed: SEED, numRuns: 20_000 })
  let official: ReturnType<typeof officialValidator>
  beforeAll(() => {
    official = officialValidator()
  })

  const isOfficial = (spec: unknown) => official({ ociVersion: '1.0.2', ...Object(spec) })

  /** What vmcg's schema has against a document. */
  function objection(spec: unknown): { readonly where: string; readonly message: string } | undefined {
    if (validateSpec(spec)) return undefined
    const { instancePath = '', message = '' } = validateSpec.errors?.[0] ?? {}
    return { where: instancePath.replace('/linux/resources', ''), message }
  }

  const differencesOf = (where: string, message: string) =>
    SCHEMA_DIFFERENCES.filter((each) => each.where.test(where) && each.message.test(message))

  it('is asked about every member that it has', () => {
    const schema = readFileSync(join(__dirname, '../../src/model/oci/oci-schema.json'), 'utf8')
    const sections: readonly { readonly properties?: object }[] = Object.values(
      JSON.parse(schema).definitions,
    )
    const members = sections.flatMap(({ properties = {} }) => Object.keys(properties))
    const asked = JSON.stringify(LINUX)
    expect(members.filter((member) => !asked.includes(`"${member}":`))).toEqual([])
  })

  it('takes a document with all of them', () => {
    expect([objection({ linux: LINUX }), isOfficial({ linux: LINUX })]).toEqual([undefined, true])
  })

  it('takes nothing that the official one refuses', () => {
    expect(documents.filter((spec) => !isOfficial(spec) && objection(spec) === undefined)).toEqual([])
  })

  it('refuses nothing else that the official one takes than the list of differences has', () => {
    const taken = documents.filter(isOfficial).flatMap((spec) => objection(spec) ?? [])
    expect(taken.filter(({ where, message }) => differencesOf(where, message).length === 0)).toEqual([])
    const shown = new Set(taken.flatMap(({ where, message }) => differencesOf(where, message)))
    expect(SCHEMA_DIFFERENCES.filter((each) => !shown.has(each))).toEqual([])
  })

  it('is asked about enough that is taken and enough that is refused', () => {
    const taken = documents.filter(isOfficial).length
    expect(taken).toBeGreaterThan(5_000)
    expect(documents.length - taken).toBeGreaterThan(5_000)
  })
})
