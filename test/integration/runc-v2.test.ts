import * as fc from 'fast-check'
import type { LinuxResources } from '../../src/model/generated/oci'
import { anyDocumentV2, anyUpdateV2 } from '../support/any-document-v2'
import { awkwardDocumentsV2, awkwardUpdatesV2 } from '../support/awkward-documents-v2'
import { blockDevices } from '../support/block-devices'
import { readKnobsV2, removeV2, writeOursV2 } from '../support/cgroup-knobs-v2'
import { answerAt, type Outcome, whereDifferent } from '../support/compare-runtimes'
import { OciRuntime, type RuntimeName } from '../support/oci-runtime'
import { describeWith } from '../support/require'
import { patience } from '../support/scale'
import { TestCgroupV2 } from '../support/test-cgroups-v2'
import { DIFFERENCES_V2, type DifferenceV2, differencesFrom } from './runc-v2-differences'

/** Fixed, so that what CI compares is what was looked at; any other does as well. */
const SEED = 20_201_018

const PEERS: readonly RuntimeName[] = ['runc', 'crun']

// What a single field becomes is held to the kernel by resource-writes-v2.
for (const peer of PEERS) {
  describeWith(
    ['root', 'cgroup-v2', 'block-device', peer],
    `${peer}, given the same linux.resources on cgroup v2,`,
    () => {
      const parent = `vmcg-test-${peer}-${process.pid}`
      const disks = blockDevices().slice(0, 2)
      const seen = new Set<DifferenceV2>()
      let applied = 0
      let top: TestCgroupV2
      let runtime: OciRuntime
      let cpuLists: readonly string[]

      beforeAll(() => {
        top = TestCgroupV2.top(parent)
        const all = top.read('cpuset.cpus.effective') ?? '0'
        cpuLists = [all, all.replace(/\D.*/, '')]
        runtime = new OciRuntime(peer, `/${parent}/${peer}`, { read: readKnobsV2, remove: removeV2 })
      })
      afterAll(() => {
        runtime.remove()
        top.remove()
      })

      /** What the two do differently with resources, but for what the list of differences has for them. */
      function disagreements(steps: readonly LinuxResources[]): object {
        const ours = writeOursV2(`/${parent}/vmcg`, steps)
        const theirs: Outcome = runtime.apply(steps)
        if (!('refused' in ours || 'refused' in theirs)) applied += 1
        const different = whereDifferent(ours, theirs)
        const known = differencesFrom(peer, steps).filter(({ where }) => different.includes(where))
        for (const each of known) seen.add(each)
        const unknown = different.filter((where) => known.every((each) => each.where !== where))
        return Object.fromEntries(
          unknown.map((where) => [
            where,
            { steps, ours: answerAt(ours, where), theirs: answerAt(theirs, where) },
          ]),
        )
      }

      const [disk = { major: 0, minor: 0 }] = disks

      it.each(awkwardDocumentsV2(disk))('takes or refuses the same: %j', (resources) => {
        expect(disagreements([resources])).toEqual({})
      })

      it(
        'gives the same knobs for generated documents',
        () => {
          const documents = fc.sample(anyDocumentV2({ disks, cpuLists }), {
            seed: SEED,
            numRuns: 24,
          })
          const before = applied
          const different = documents.map((resources) => disagreements([resources]))
          expect(different).toEqual(documents.map(() => ({})))
          expect(applied - before).toBeGreaterThan(8)
        },
        patience(120_000),
      )

      it.each(awkwardUpdatesV2)(
        'gives the same knobs when a container is updated: %j, then %j',
        (...steps) => {
          expect(disagreements(steps)).toEqual({})
        },
      )

      it(
        'gives the same knobs when a container is updated',
        () => {
          const any = anyUpdateV2(cpuLists)
          const pairs = fc.sample(fc.tuple(any, any), { seed: SEED, numRuns: 6 })
          const before = applied
          const different = pairs.map((steps) => disagreements(steps))
          expect(different).toEqual(pairs.map(() => ({})))
          expect(applied - before).toBeGreaterThan(3)
        },
        patience(120_000),
      )

      it('still differs in everything that the list of differences has', () => {
        const own = DIFFERENCES_V2.filter(({ from }) => from.includes(peer))
        expect(own.filter((each) => !seen.has(each))).toEqual([])
      })
    },
  )
}
