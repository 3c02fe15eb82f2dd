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

interface Verdict {
  readonly spec: unknown
  readonly isOfficial: boolean
  /** What vmcg's schema has against it. */
  readonly objection: { readonly where: string; readonly message: string } | undefined
}

function objectionTo(spec: unknown): Verdict['objection'] {
  if (validateSpec(spec)) return undefined
  const { instancePath = '', message = '' } = validateSpec.errors?.[0] ?? {}
  return { where: instancePath.replace('/linux/resources', ''), message }
}

describeWith(['oci-schema'], 'the schema, beside the one that the specification comes with,', () => {
  let verdicts: readonly Verdict[]
  beforeAll(() => {
    const official = officialValidator()
    const documents = [
      { linux: LINUX },
      { linux: { resources: { unified: { '': 1 } } } },
      ...fc.sample(mutationsOf({ linux: LINUX }), { seed: SEED, numRuns: 6_000 }),
    ]
    verdicts = documents.map((spec) => ({
      spec,
      isOfficial: official({ ociVersion: '1.0.2', ...Object(spec) }),
      objection: objectionTo(spec),
    }))
  })

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
    expect(verdicts[0]).toEqual({ spec: { linux: LINUX }, isOfficial: true, objection: undefined })
  })

  it('takes nothing that the official one refuses', () => {
    expect(verdicts.filter(({ isOfficial, objection }) => !isOfficial && objection === undefined)).toEqual([])
  })

  it('refuses nothing that the official one takes, but what the list of differences has', () => {
    const differencesOf = ({ where, message }: NonNullable<Verdict['objection']>) =>
      SCHEMA_DIFFERENCES.filter((each) => each.where.test(where) && each.message.test(message))
    const objections = verdicts.flatMap(({ isOfficial, objection }) => (isOfficial && objection) || [])
    expect(objections.filter((each) => differencesOf(each).length === 0)).toEqual([])
    const shown = new Set(objections.flatMap(differencesOf))
    expect(SCHEMA_DIFFERENCES.filter((each) => !shown.has(each))).toEqual([])
  })

  it('is asked about enough that is taken and enough that is refused', () => {
    const taken = verdicts.filter(({ isOfficial }) => isOfficial).length
    expect(taken).toBeGreaterThan(2_000)
    expect(verdicts.length - taken).toBeGreaterThan(2_000)
  })
})
