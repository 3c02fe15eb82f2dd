import { CONFIG_JSON_KEY, type ContainerConfig, containerResources } from '../../src/model/container'
import type { OciSpec } from '../../src/model/generated/oci'

const cpuSpec = (cpu: object): OciSpec => ({ linux: { resources: { cpu } } })
const annotated = (text: string): ContainerConfig => ({ id: 'web', annotations: { [CONFIG_JSON_KEY]: text } })
/** What JavaScript callers can pass although the types say otherwise. */
const untyped = (json: string): ContainerConfig => JSON.parse(json)

it('the annotation has the name that Kata gave it', () => {
  expect(CONFIG_JSON_KEY).toBe('com.github.containers.virtcontainers.pkg.oci.config')
})

it('reads the resources from the annotation', () => {
  const text = JSON.stringify({ ociVersion: '1.0.0', ...cpuSpec({ quota: 30000, period: 100000 }) })
  expect(containerResources(annotated(text))).toEqual({
    id: 'web',
    resources: { cpu: { quota: 30000, period: 100000 } },
  })
})

it('reads the spec, and not the annotation beside it', () => {
  const container = { ...annotated('no JSON at all'), spec: cpuSpec({ shares: 2 }) }
  expect(containerResources(container).resources).toEqual({ cpu: { shares: 2 } })
})

it('warns, naming the container, when there is neither', () => {
  for (const container of [
    { id: 'web' },
    { id: 'web', annotations: {} },
    { id: 'web', annotations: { other: '1' } },
  ]) {
    const { resources, warning } = containerResources(container)
    expect(resources).toBeUndefined()
    expect(warning).toMatch(/^container "web" has neither .*pkg\.oci\.config.* unlimited$/)
  }
})

it.each([{}, { linux: {} }])('has no resources and no warning for the spec %j', (spec) => {
  expect(containerResources({ id: 'web', spec })).toEqual({ id: 'web', resources: undefined })
})

it('keeps a copy that later changes do not reach', () => {
  const cpu = { quota: 1000, period: 1000 }
  const { resources } = containerResources({ id: 'web', spec: cpuSpec(cpu) })
  cpu.quota = 999999
  expect(resources).toEqual({ cpu: { quota: 1000, period: 1000 } })
  expect(Object.isFrozen(resources?.cpu)).toBe(true)
})

it('reads a getter once, so that what was checked is what is used', () => {
  let reads = 0
  const cpu = {
    get quota() {
      reads += 1
      return reads
    },
    period: 1000,
  }
  expect(containerResources({ id: 'web', spec: cpuSpec(cpu) }).resources?.cpu?.quota).toBe(1)
})

it('leaves alone what an unknown member called __proto__ would change', () => {
  const { resources } = containerResources(
    annotated('{"linux":{"resources":{"__proto__":{"pids":{"limit":1}}}}}'),
  )
  expect(resources?.pids).toBeUndefined()
})

it('survives unknown members of any depth', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  expect(containerResources(annotated(`{"linux":{"resources":{"new":${deep}}}}`)).warning).toBeUndefined()
})

it.each([
  ['no JSON', '{"linux":', 'the annotation .* holds no JSON'],
  ['an empty text', '', 'the annotation .* holds no JSON'],
  ['null', 'null', 'it must be object'],
  ['a list', '[]', 'it must be object'],
  [
    'a quota in words',
    '{"linux":{"resources":{"cpu":{"quota":"all"}}}}',
    '/linux/resources/cpu/quota must be integer',
  ],
  [
    'a rounded number',
    '{"linux":{"resources":{"cpu":{"quota":9007199254740993}}}}',
    '/linux/resources/cpu/quota must be <=',
  ],
  [
    'an infinite number',
    '{"linux":{"resources":{"cpu":{"quota":1e999}}}}',
    '/linux/resources/cpu/quota must be integer',
  ],
  [
    'a malformed CPU list',
    '{"linux":{"resources":{"cpu":{"cpus":"5-1"}}}}',
    '/linux/resources/cpu/cpus: "5-1"',
  ],
  ['a malformed node list', '{"linux":{"resources":{"cpu":{"mems":"a"}}}}', '/linux/resources/cpu/mems: "a"'],
])('refuses an annotation that is %s, naming container and place', (_, text, why) => {
  expect(() => containerResources(annotated(text))).toThrow(
    expect.objectContaining({
      code: 'ERR_VMCG_INVALID_SPEC',
      message: expect.stringMatching(new RegExp(`^the OCI config of container "web" is invalid: ${why}`)),
    }),
  )
})

it('says which value was refused', () => {
  const { spec } = untyped(
    '{"id":"web","spec":{"linux":{"resources":{"rdma":{"a/b~c":{"hcaHandles":"many"}}}}}}',
  )
  expect(() => containerResources({ id: 'web', spec })).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('/linux/resources/rdma/a~1b~0c/hcaHandles must be integer'),
      value: 'many',
    }),
  )
})

it.each([
  ['null', null],
  ['a text', '{}'],
  ['a list', []],
  ['a number that is none', cpuSpec({ quota: Number.NaN })],
  ['a BigInt', cpuSpec({ quota: 1n })],
])('refuses a spec that is %s', (_, spec) => {
  const container: ContainerConfig = Object.assign({ id: 'web' }, { spec: spec as OciSpec })
  expect(() => containerResources(container)).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_SPEC' }),
  )
})

it('refuses a spec that holds itself', () => {
  const linux: Record<string, unknown> = {}
  linux['resources'] = linux
  expect(() => containerResources({ id: 'web', spec: { linux } })).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_SPEC' }),
  )
})

it.each(['{}', '{"id":""}', '{"id":7}'])('refuses the container %s: it has no id', (json) => {
  expect(() => containerResources(untyped(json))).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
  )
})

it('refuses an annotation that is no text', () => {
  const container = untyped(`{"id":"web","annotations":{"${CONFIG_JSON_KEY}":{}}}`)
  expect(() => containerResources(container)).toThrow(
    expect.objectContaining({ code: 'ERR_VMCG_INVALID_SPEC' }),
  )
})
