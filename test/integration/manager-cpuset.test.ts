import { cpusOf, nodesOf, processLimitOf, sharesWeight, weightOf } from '../support/cgroup-limits'
import { cgroupsOf, ManagerBench } from '../support/manager-bench'
import { operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'

let bench: ManagerBench

beforeEach(() => {
  bench = new ManagerBench()
})
afterEach(() => bench.clear())

describeWith(['root', 'cgroups', 'python'], 'setCpuset', () => {
  const cpus = () => cpusOf(bench.path())
  const above = () => cpusOf(bench.parent)

  test('narrows, widens, and follows the parent again', async () => {
    const manager = await bench.manager()
    const { pid } = await bench.standIn()
    await manager.add(pid)
    const all = above()
    const [first = '0'] = all.split(/[-,]/)
    expect(cpus()).toBe(all)
    await manager.setCpuset({ cpus: first })
    expect(cpus()).toBe(first)
    await manager.setCpuset({ cpus: all })
    expect(cpus()).toBe(all)
    await manager.setCpuset({ cpus: first, mems: '0' })
    expect(nodesOf(bench.path())).toBe('0')
    await manager.setCpuset({ cpus: '' })
    expect(cpus()).toBe(all)
    expect(cgroupsOf(pid)['cpuset']).toBe(bench.path())
  })

  test('changes nothing else, and is kept by the next apply', async () => {
    const manager = await bench.begun()
    await manager.apply({ pids: { limit: 40 }, cpu: { shares: 300 } })
    await manager.setCpuset({ cpus: '0' })
    expect(processLimitOf(bench.path())).toBe(40)
    expect(weightOf(bench.path())).toBe(sharesWeight(300))
    expect(manager.config.resources).toEqual({ pids: { limit: 40 }, cpu: { shares: 300, cpus: '0' } })
    expect(await operationsDuring(() => manager.apply())).toEqual([])
  })

  test('takes its turn: it does not undo a call before it that nobody has waited for', async () => {
    const manager = await bench.begun()
    const other = await bench.manager()
    await Promise.all([manager.apply({ pids: { limit: 40 } }), manager.setCpuset({ cpus: '0' })])
    expect([cpus(), processLimitOf(bench.path())]).toEqual(['0', 40])
    await other.setCpuset({ cpus: '' })
    expect([cpus(), processLimitOf(bench.path())]).toEqual([above(), 40])
  })

  test('refuses what the parent does not have, and malformed lists, before anything is written', async () => {
    const manager = await bench.begun()
    await manager.apply({ cpu: { cpus: '0' } })
    const done = await operationsDuring(async () => {
      await expect(manager.setCpuset({ cpus: '0-4095' })).rejects.toMatchObject({
        code: 'ERR_VMCG_OUT_OF_RANGE',
        message: expect.stringContaining(`has only ${above()}`),
      })
      await expect(manager.setCpuset({ mems: '63' })).rejects.toMatchObject({ code: 'ERR_VMCG_OUT_OF_RANGE' })
      for (const list of ['1-0', '0-1-2', ' 0', '0-4294967295', 'x']) {
        await expect(manager.setCpuset({ cpus: list })).rejects.toMatchObject({
          code: expect.stringMatching(/^ERR_VMCG_(INVALID_ARGUMENT|INVALID_SPEC|OUT_OF_RANGE)$/),
        })
      }
    })
    expect(done).toEqual([])
    expect(cpus()).toBe('0')
    expect(manager.config.resources.cpu).toEqual({ cpus: '0' })
  })
})
