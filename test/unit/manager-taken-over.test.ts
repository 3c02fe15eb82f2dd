import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Host } from '../../src/host/detect'
import type { Hierarchy } from '../../src/host/hierarchies'
import { takenOverPlace } from '../../src/manager-taken-over'
import { UNIFIED } from '../../src/model/unified'

/** A hybrid host as some are: v2 with hugetlb at the top, and v1 mounted below it. */
let top: string
let host: Host

function mounted(id: string, version: 1 | 2, mountPoint: string, controllers: readonly string[]): Hierarchy {
  return { id, version, controllers, mountPoint, mountRoot: '/', isReadOnly: false }
}

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'vmcg-test-taken-over-'))
  const files = ['memory/vm/tasks', 'vm/cgroup.threads', 'vm/cgroup.type']
  for (const file of files) {
    mkdirSync(dirname(join(top, file)), { recursive: true })
    writeFileSync(join(top, file), 'domain\n')
  }
  const hierarchies = [
    mounted('memory', 1, join(top, 'memory'), ['memory']),
    mounted(UNIFIED, 2, top, ['hugetlb']),
  ]
  const controller = (name: string) => hierarchies.find(({ controllers }) => controllers.includes(name))
  host = { layout: 'hybrid', hierarchies, controller, kernel: '6.1.0', isRoot: true }
})
afterEach(() => rmSync(top, { recursive: true }))

test('a cgroup is taken over where its controller is, v1 and v2 beside each other', () => {
  const paths = { memory: join(top, 'memory/vm'), hugetlb: join(top, 'vm') }
  expect(takenOverPlace(paths, host)).toEqual({ path: '/vm', takenOver: ['memory', UNIFIED] })
})

test('a cgroup of v1 is none for a controller on v2, also where its path is below the mount point of v2', () => {
  expect(() => takenOverPlace({ hugetlb: join(top, 'memory/vm') }, host)).toThrow(
    expect.objectContaining({
      code: 'ERR_VMCG_INVALID_PATH',
      message: expect.stringMatching(
        /^paths\.hugetlb: .* is no cgroup of the hierarchy at .*, where hugetlb is/,
      ),
    }),
  )
})

test('a controller that is mounted nowhere is named, and what there is', () => {
  expect(() => takenOverPlace({ rdma: join(top, 'vm') }, host)).toThrow(
    expect.objectContaining({
      code: 'ERR_VMCG_NO_CONTROLLER',
      message: expect.stringMatching(/^paths\.rdma: it is not mounted; .*unified \(hugetlb\)/),
    }),
  )
})

test('a cgroup that is not there is named with its key', () => {
  expect(() => takenOverPlace({ hugetlb: join(top, 'other') }, host)).toThrow(
    expect.objectContaining({
      code: 'ENOENT',
      message: expect.stringMatching(/^paths\.hugetlb: there is no/),
    }),
  )
})
