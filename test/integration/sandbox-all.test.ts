import { once } from 'node:events'
import { Sandbox } from '../../src/sandbox'
import { Bench, container } from '../support/bench'
import { CONTROLLERS, cgroupsBelow, everywhere, placeOf, threadsIn } from '../support/cgroups'
import { runChildWithInput } from '../support/child-process'
import { onOperation, operationsDuring } from '../support/operations'
import { describeWith } from '../support/require'
import { patience, rounds } from '../support/scale'
import { hypervisorOf, type StandIn } from '../support/stand-in'

jest.setTimeout(patience(120_000))

let bench: Bench

beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.clear())

const LIMITS = container({ quota: 50_000, period: 100_000, cpus: '0' })

interface Vm {
  readonly id: string
  readonly vmm: StandIn
  readonly vcpus: readonly number[]
  readonly sandbox: Sandbox
}

async function vm(id: string): Promise<Vm> {
  const vmm = await bench.standIn()
  const vcpus = await vmm.start(2)
  const sandbox = await bench.sandbox({ id, containers: [LIMITS] })
  await sandbox.attach(hypervisorOf(vmm.pid, () => vcpus))
  return { id, vmm, vcpus, sandbox }
}

const vms = (...ids: readonly string[]) => Promise.all(ids.map(vm))
const sandboxesOf = (all: readonly Vm[]) => all.map(({ sandbox }) => sandbox)

function expectPlaced({ id, vmm, vcpus }: Vm): void {
  expect(placeOf(vmm.pid)).toEqual(everywhere(`${bench.parent}/${id}`))
  for (const controller of CONTROLLERS) {
    expect(threadsIn(`${bench.parent}/${id}/vcpu`, controller)).toEqual(vcpus)
  }
}

describeWith(['root', 'cgroups', 'python'], 'many sandboxes at once', () => {
  test('are all placed, and each has its report, in the order of the list', async () => {
    const all = await vms('a', 'b', 'c', 'd', 'e')
    const applied = await Sandbox.applyAll(sandboxesOf(all))
    expect(applied.map(({ sandbox }) => sandbox)).toEqual(sandboxesOf(all))
    expect(applied.map(({ report }) => report?.placed)).toEqual(all.map(({ vcpus }) => vcpus))
    for (const one of all) expectPlaced(one)
  })

  test('write nothing when all is as it should be', async () => {
    const all = await vms('a', 'b')
    await Sandbox.applyAll(sandboxesOf(all))
    const operations = await operationsDuring(async () => {
      const applied = await Sandbox.applyAll(sandboxesOf(all))
      expect(applied.map(({ report }) => report?.isChanged)).toEqual([false, false])
    })
    expect(operations).toEqual([])
  })

  test('have all their cgroups and limits before the first thread of any is moved', async () => {
    const all = await vms('a', 'b', 'c', 'd', 'e', 'f')
    const operations = await operationsDuring(() => Sandbox.applyAll(sandboxesOf(all)))
    const kinds = operations.map(({ operation }) => operation.kind)
    const isMove = (kind: string) => kind.startsWith('move-')
    expect(kinds.slice(kinds.findIndex(isMove)).every(isMove)).toBe(true)
  })

  test('each fail alone', async () => {
    const all = await vms('fine', 'dead', 'silent', 'refused', 'closed', 'gone')
    const [fine, dead, silent, refused, closed, gone] = all
    if (!fine || !dead || !silent || !refused || !closed || !gone) throw new Error('six VMs were made')
    await dead.vmm.kill()
    await silent.sandbox.attach({
      ...hypervisorOf(silent.vmm.pid, () => []),
      threads: () => Promise.reject(new Error('no answer')),
    })
    refused.sandbox.setContainer(container({ cpus: '8000' }))
    await closed.sandbox.close()
    await gone.sandbox.destroy()
    const applied = await Sandbox.applyAll(sandboxesOf(all))
    expect(applied).toMatchObject([
      { report: { placed: fine.vcpus } },
      { error: { code: 'ERR_VMCG_VM_GONE' } },
      { error: { message: 'no answer' } },
      { error: { code: 'ERR_VMCG_OUT_OF_RANGE' } },
      { error: { code: 'ERR_VMCG_CLOSED' } },
      { error: { code: 'ERR_VMCG_DESTROYED' } },
    ])
    expect(applied.filter(({ report }) => report !== undefined)).toHaveLength(1)
    expectPlaced(fine)
    const [cpu] = CONTROLLERS
    expect(cgroupsBelow(cpu, bench.parent).sort()).toEqual([
      bench.parent,
      `${bench.parent}/fine`,
      `${bench.parent}/fine/vcpu`,
    ])
  })

  test('do not wait for one whose hypervisor is slow to answer', async () => {
    const [quick, slow] = await vms('quick', 'slow')
    if (!quick || !slow) throw new Error('two VMs were made')
    let answer = (): void => undefined
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { threads, ...rest } = hypervisorOf(slow.vmm.pid, () => slow.vcpus)
    await slow.sandbox.attach({
      ...rest,
      threads: async () => {
        await answered
        return threads()
      },
    })
    const placed: string[] = []
    await onOperation(
      ({ sandbox, operation }) => {
        if (operation.kind === 'move-threads' && !placed.includes(sandbox)) placed.push(sandbox)
        if (placed[0] === 'quick') answer()
      },
      () => Sandbox.applyAll([slow.sandbox, quick.sandbox]),
    )
    expect(placed).toEqual(['quick', 'slow'])
    for (const one of [quick, slow]) expectPlaced(one)
  })

  test('may be none, or the same one twice, which is applied once', async () => {
    expect(await Sandbox.applyAll([])).toEqual([])
    const one = await vm('a')
    const asked = jest.fn(() => one.vcpus)
    await one.sandbox.attach(hypervisorOf(one.vmm.pid, asked))
    const [first, second] = await Sandbox.applyAll([one.sandbox, one.sandbox])
    expect(first?.report).toBe(second?.report)
    expect(asked).toHaveBeenCalledTimes(2)
    expectPlaced(one)
  })

  test('may be several objects for the same cgroups', async () => {
    const one = await vm('a')
    const other = await bench.sandbox({ id: 'a', containers: [LIMITS] })
    await other.attach(hypervisorOf(one.vmm.pid, () => one.vcpus))
    const applied = await Sandbox.applyAll([one.sandbox, other])
    expect(applied.filter(({ report }) => report?.isChanged)).toHaveLength(1)
    expect(applied.every(({ error }) => error === undefined)).toBe(true)
    expectPlaced(one)
  })

  test('are left as they are by an abort before the first write, which rejects with its reason', async () => {
    const all = await vms('a', 'b', 'c')
    const controller = new AbortController()
    const [, last] = all.slice(1)
    if (!last) throw new Error('three VMs were made')
    await last.sandbox.attach({
      ...hypervisorOf(last.vmm.pid, () => last.vcpus),
      threads: () => {
        controller.abort(new Error('enough'))
        return new Promise(() => undefined)
      },
    })
    const before = placeOf(process.pid)
    const work = Sandbox.applyAll(sandboxesOf(all), { signal: controller.signal })
    await expect(work).rejects.toThrow('enough')
    for (const { vmm } of all) expect(placeOf(vmm.pid)).toEqual(before)
    await expect(Sandbox.applyAll([], { signal: controller.signal })).rejects.toThrow('enough')
    // Nothing is held any more.
    for (const { sandbox } of all) await sandbox.destroy()
  })

  test('may be applied by two calls at once, in opposite orders', async () => {
    const all = await vms('a', 'b', 'c', 'd')
    const sandboxes = sandboxesOf(all)
    const calls = await Promise.all([Sandbox.applyAll(sandboxes), Sandbox.applyAll(sandboxes.toReversed())])
    expect(calls.flat().every(({ error }) => error === undefined)).toBe(true)
    for (const one of all) expectPlaced(one)
  })

  test('may be applied by two processes at once, in opposite orders, over and over', async () => {
    const all = await vms('a', 'b', 'c', 'd')
    const times = rounds(10, 2)
    const list = all.map(({ id, vmm, vcpus }) => ({ id, pid: vmm.pid, vcpus }))
    const children = [list, list.toReversed()].map((part) => {
      const args = [bench.parent, bench.stateDir, String(times), JSON.stringify(part)]
      return runChildWithInput('apply-all.ts', args)
    })
    const texts = children.map(async ({ stdout }) => (await stdout.setEncoding('utf8').toArray()).join(''))
    const exits = children.map((child) => once(child, 'exit'))
    for (const { stdin } of children) stdin.end('go\n')
    expect((await Promise.all(exits)).map(([code]) => code)).toEqual([0, 0])
    expect((await Promise.all(texts)).map((text) => text.trim())).toEqual([`${times}`, `${times}`])
    for (const one of all) expectPlaced(one)
  })
})

describeWith(['root'], 'what is no list of sandboxes', () => {
  test.each([[undefined], ['vm'], [{}], [[{}]], [[null]]])('is refused: %j', async (list) => {
    const work = Reflect.apply(Reflect.get(Sandbox, 'applyAll'), Sandbox, [list])
    await expect(work).rejects.toMatchObject({ code: 'ERR_VMCG_INVALID_ARGUMENT' })
  })
})
