import type { Host } from '../../src/host/detect'
import type { Hierarchy } from '../../src/host/hierarchies'
import { sandboxHierarchies } from '../../src/host/sandbox-hierarchies'

function mounted(...controllers: string[]): Hierarchy {
  const id = controllers.join(',')
  const mountPoint = `/sys/fs/cgroup/${id}`
  return { id, version: 1, controllers, mountPoint, mountRoot: '/', isReadOnly: false }
}

const UNIFIED: Hierarchy = { ...mounted('cpu', 'cpuset'), id: 'unified', version: 2, mountPoint: '/cg2' }

function hostWith(...hierarchies: Hierarchy[]): Host {
  const controller = (name: string) => hierarchies.find(({ controllers }) => controllers.includes(name))
  return { layout: 'v1', hierarchies, controller, kernel: '6.18.0', isRoot: true }
}

const PLAIN = { resources: {}, managed: [], devices: null }
const PINNED = { resources: { cpu: { cpus: '0' } }, managed: [], devices: null }

function idsOn(host: Host, desired: Parameters<typeof sandboxHierarchies>[1]): readonly string[] {
  return sandboxHierarchies(host, desired).map(({ id }) => id)
}

describe('the hierarchies of a sandbox', () => {
  test('are cpu and cpuacct, and cpuset only where CPUs are asked for', () => {
    const host = hostWith(mounted('cpu'), mounted('cpuacct'), mounted('cpuset'), mounted('memory'))
    expect(idsOn(host, PLAIN)).toEqual(['cpu', 'cpuacct'])
    expect(idsOn(host, PINNED)).toEqual(['cpu', 'cpuacct', 'cpuset'])
  })

  test('stay with cpuset when it was used before and CPUs are no longer asked for', () => {
    const host = hostWith(mounted('cpu'), mounted('cpuset'))
    const managed = [{ hierarchy: 'cpuset', path: '/kata/vm/vcpu', knob: 'cpuset.cpus', value: '0' }]
    expect(idsOn(host, { resources: {}, managed, devices: null })).toEqual(['cpu', 'cpuset'])
  })

  test('are one where the controllers share a mount', () => {
    expect(idsOn(hostWith(mounted('cpu', 'cpuacct')), PLAIN)).toEqual(['cpu,cpuacct'])
  })

  test('do without cpuacct where it is not mounted', () => {
    expect(idsOn(hostWith(mounted('cpu')), PLAIN)).toEqual(['cpu'])
  })

  test('cannot do without cpu: the error names what is mounted', () => {
    expect(() => sandboxHierarchies(hostWith(mounted('memory')), PLAIN)).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_NO_CONTROLLER',
        value: 'cpu',
        message: expect.stringContaining('memory at /sys/fs/cgroup/memory'),
      }),
    )
  })

  test('cannot do without cpuset where CPUs are asked for', () => {
    expect(() => sandboxHierarchies(hostWith(mounted('cpu')), PINNED)).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_NO_CONTROLLER', value: 'cpuset' }),
    )
  })

  test('are the one of v2 where that has the controllers', () => {
    expect(sandboxHierarchies(hostWith(UNIFIED), PLAIN)).toEqual([UNIFIED])
  })

  test('are refused where they are mounted read-only', () => {
    expect(() => sandboxHierarchies(hostWith({ ...mounted('cpu'), isReadOnly: true }), PLAIN)).toThrow(
      expect.objectContaining({ code: 'EROFS', path: '/sys/fs/cgroup/cpu' }),
    )
  })
})
