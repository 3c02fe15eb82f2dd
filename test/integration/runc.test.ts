import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { detectHost } from '../../src/host/detect'
import { hypervisorDevices } from '../../src/host/devices'
import type { LinuxResources } from '../../src/model/generated/oci'
import { anyDocument, anyUpdate } from '../support/any-document'
import { applyOurs, updateOurs } from '../support/apply-ours'
import { awkwardDocuments, awkwardUpdates, deviceDocuments } from '../support/awkward-documents'
import { blockDevices } from '../support/block-devices'
import { makeEverywhere, removeEverywhere } from '../support/cgroup-knobs'
import { answerAt, type Outcome, refusalOf, whereDifferent } from '../support/compare-runtimes'
import { OciRuntime } from '../support/oci-runtime'
import { describeWith } from '../support/require'
import { fieldCases } from '../support/resource-tables'
import { patience } from '../support/scale'
import { DIFFERENCES, type Difference, differencesOf } from './runc-differences'

/** Fixed, so that what CI compares is what was looked at; any other does as well. */
const SEED = 20_201_018

describeWith(
  // The documents ask for realtime shares, too, and the list of differences is one of a kernel that has them.
  ['root', 'cgroup-v1', 'devices-v1', 'block-device', 'rt-group-sched', 'runc'],
  'runc, given the same linux.resources,',
  () => {
    const parent = `/vmcg-test-runc-${process.pid}`
    const disks = blockDevices().slice(0, 2)
    const seen = new Set<Difference>()
    let applied = 0
    let runc: OciRuntime
    let cpuLists: readonly string[]

    beforeAll(() => {
      makeEverywhere(parent)
      const mountPoint = (controller: string) => detectHost().controller(controller)?.mountPoint ?? ''
      // Of the whole host's 95 %: without some of its own no child can have any.
      writeFileSync(join(mountPoint('cpu'), parent, 'cpu.rt_runtime_us'), '200000')
      const all = readFileSync(join(mountPoint('cpuset'), parent, 'cpuset.cpus'), 'utf8').trim()
      cpuLists = [all, all.replace(/\D.*/, '')]
      runc = new OciRuntime('runc', `${parent}/runc`)
    })
    afterAll(() => {
      runc.remove()
      removeEverywhere(parent)
    })

    /** The cgroup of a VM may have what its VMM opens, and that of a container may have it when it asks for it. */
    const withHypervisorDevices = (resources: LinuxResources): LinuxResources => ({
      ...resources,
      devices: [...(resources.devices ?? []), ...hypervisorDevices()],
    })

    /** What the two do differently with resources, but for what the list of differences has for them. */
    async function disagreements(resources: LinuxResources): Promise<object> {
      const ours = applyOurs(`${parent}/kata_vmcg`, { ...resources, devices: resources.devices ?? [] })
      return compared([resources], await refusalOf(ours), runc.apply([withHypervisorDevices(resources)]))
    }

    function compared(steps: readonly LinuxResources[], ours: Outcome, theirs: Outcome): object {
      if (!('refused' in ours || 'refused' in theirs)) applied += 1
      const different = whereDifferent(ours, theirs)
      const known = differencesOf(steps).filter(({ where }) => different.includes(where))
      for (const each of known) seen.add(each)
      const unknown = different.filter((where) => known.every((each) => each.where !== where))
      return Object.fromEntries(
        unknown.map((where) => [
          where,
          { steps, ours: answerAt(ours, where), runc: answerAt(theirs, where) },
        ]),
      )
    }

    const [disk = { major: 0, minor: 0 }] = disks
    const fields = fieldCases(disk).filter(({ writes }) =>
      writes.every(({ controller }) => detectHost().controller(controller)?.version === 1),
    )

    it.each(fields)('gives the same knobs: $name', async ({ resources }) => {
      expect(await disagreements(resources)).toEqual({})
    })

    it.each(deviceDocuments)('gives the same devices: %s', async (_, resources) => {
      expect(await disagreements(resources)).toEqual({})
    })

    it.each(awkwardDocuments(disk))('takes or refuses the same: %j', async (resources) => {
      expect(await disagreements(resources)).toEqual({})
    })

    it(
      'gives the same knobs for generated documents',
      async () => {
        const documents = fc.sample(anyDocument({ disks, cpuLists }), { seed: SEED, numRuns: 64 })
        const different = []
        const before = applied
        for (const resources of documents) different.push(await disagreements(resources))
        expect(different).toEqual(documents.map(() => ({})))
        expect(applied - before).toBeGreaterThan(50)
      },
      patience(120_000),
    )

    async function updateDisagreements(steps: readonly LinuxResources[]): Promise<object> {
      const ours = await refusalOf(updateOurs(`${parent}/vmcg`, steps))
      return compared(steps, ours, runc.apply(steps))
    }

    it.each(awkwardUpdates)('gives the same knobs after %j and then %j', async (...steps) => {
      expect(await updateDisagreements(steps)).toEqual({})
    })

    it(
      'gives the same knobs when a container is updated',
      async () => {
        const pairs = fc.sample(fc.tuple(anyUpdate(cpuLists), anyUpdate(cpuLists)), {
          seed: SEED,
          numRuns: 24,
        })
        const different = []
        const before = applied
        for (const steps of pairs) different.push(await updateDisagreements(steps))
        expect(different).toEqual(pairs.map(() => ({})))
        expect(applied - before).toBeGreaterThan(15)
      },
      patience(120_000),
    )

    it('still differs in everything that the list of differences has', () => {
      expect(DIFFERENCES.filter((each) => !seen.has(each))).toEqual([])
    })
  },
)
