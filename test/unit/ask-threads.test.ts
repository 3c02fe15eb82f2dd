import { askThreads } from '../../src/hypervisor/ask-threads'
import type { Hypervisor, HypervisorThreads } from '../../src/hypervisor/hypervisor'

const threads: HypervisorThreads = { vcpus: new Map([[0, 101]]), iothreads: new Map([['io0', 102]]) }

function hypervisor(answer: () => Promise<HypervisorThreads>): Hypervisor {
  return { name: 'mine', pid: () => 100, threads: answer, close: async () => undefined }
}

/** What plain JavaScript may answer. */
function answering(text: string): Hypervisor {
  return hypervisor(new Function(`return Promise.resolve(${text})`) as Hypervisor['threads'])
}

it('gives what the hypervisor answers', async () => {
  expect(
    await askThreads(
      hypervisor(async () => threads),
      {},
    ),
  ).toBe(threads)
})

it.each([
  ['undefined', 'no Map of vcpus, but undefined'],
  ['{}', 'no Map of vcpus, but undefined'],
  ['{ vcpus: { 0: 101 }, iothreads: new Map() }', 'no Map of vcpus, but object'],
  ['{ vcpus: [101], iothreads: new Map() }', 'no Map of vcpus, but object'],
  ['{ vcpus: new Map() }', 'no Map of iothreads, but undefined'],
  ['{ vcpus: new Map([[0, "101"]]), iothreads: new Map() }', 'as thread of 0 of vcpus "101"'],
  ['{ vcpus: new Map([[0, NaN]]), iothreads: new Map() }', 'as thread of 0 of vcpus NaN'],
  ['{ vcpus: new Map(), iothreads: new Map([["io", 1.5]]) }', 'as thread of "io" of iothreads 1.5'],
])('refuses the answer %s', async (text, what) => {
  await expect(askThreads(answering(text), {})).rejects.toMatchObject({
    code: 'ERR_VMCG_INVALID_ARGUMENT',
    message: `the hypervisor "mine" answers ${what}`,
    hint: expect.stringContaining('threads() resolves with'),
  })
})

it('passes on what the hypervisor throws, also before it promises anything', async () => {
  const broken = hypervisor(() => {
    throw new Error('broken')
  })
  await expect(askThreads(broken, {})).rejects.toThrow('broken')
  await expect(askThreads(broken, { signal: new AbortController().signal })).rejects.toThrow('broken')
})

it('does not wait for one that heeds no signal', async () => {
  const deaf = hypervisor(() => new Promise(() => undefined))
  const controller = new AbortController()
  const asked = askThreads(deaf, { signal: controller.signal })
  controller.abort('changed my mind')
  await expect(asked).rejects.toBe('changed my mind')
})

it('is not asked at all after an abort', async () => {
  const asked = jest.fn(async () => threads)
  await expect(askThreads(hypervisor(asked), { signal: AbortSignal.abort('late') })).rejects.toBe('late')
  expect(asked).not.toHaveBeenCalled()
})

it('does not wait for one that aborts while it is asked', async () => {
  const controller = new AbortController()
  const aborting = hypervisor(() => {
    controller.abort('enough')
    return new Promise(() => undefined)
  })
  await expect(askThreads(aborting, { signal: controller.signal })).rejects.toBe('enough')
})
