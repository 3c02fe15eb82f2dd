import * as fc from 'fast-check'
import { kernelEcho, newKnobValue, undoValue } from '../../src/model/resources/echo'
import { isKept } from '../../src/model/resources/kept'
import type { KnobWrite } from '../../src/model/resources/knob'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import { isLift, liftedValue } from '../../src/model/resources/unlimited'
import { anyResourcesV2 } from '../support/any-resources-v2'
import { forAll } from '../support/for-all'
import { ModelKernelV2 } from '../support/model-kernel-v2'

describe('isKept', () => {
  it.each([
    ['memory.max', '1048577', '1048576', true],
    ['memory.max', '1M', '1048576', true],
    ['memory.max', 'max', 'max', true],
    ['memory.max', '9223372036854775807', 'max', true],
    ['memory.max', '1048576', '1044480', false],
    ['memory.low', 'max', '0', false],
    ['memory.oom.group', '1', '1', true],
    ['hugetlb.2MB.max', '3000000', '2097152', true],
    ['hugetlb.2MB.rsvd.max', '1', '0', true],
    ['hugetlb.1GB.max', 'max', 'max', true],
    ['cpu.max', '50000 100000', '50000 100000', true],
    ['cpu.max', '50000', '50000 20000', true],
    ['cpu.max', '50000 100000', '50000 20000', false],
    ['cpu.max', 'max', 'max 20000', true],
    ['cpu.weight', '100', '100', true],
    ['cpu.weight', '100', '0', false],
    ['cpu.uclamp.max', 'max', 'max', true],
    ['cpu.uclamp.min', '5', '5.00', true],
    ['cpuset.cpus', '\n', '', true],
    ['cpuset.cpus', '\n', '0', false],
    ['cpuset.cpus', '1,0', '0-1', true],
    ['cpuset.cpus.partition', 'root', 'root invalid (cpuset.cpus is empty)', false],
    ['io.max', '8:0 rbps=5', '8:0 rbps=5 wbps=max riops=max wiops=max', true],
    ['io.max', '8:0 rbps=005', '8:0 rbps=5 wbps=max riops=max wiops=max', true],
    ['io.max', '8:0 rbps=5 wbps=6', '8:0 rbps=5 wbps=max riops=max wiops=max', false],
    ['io.max', '8:0 rbps=5', '8:16 rbps=5 wbps=max riops=max wiops=max', false],
    ['io.max', '8:0 rbps=max', '', true],
    ['io.weight', 'default 100', 'default 100\n8:0 50', true],
    ['io.bfq.weight', 'default 100', 'default 100\n8:0 50', true],
    ['io.bfq.weight', '8:0 50', 'default 100\n8:0 50', true],
    ['io.bfq.weight', '8:0 default', 'default 100\n8:0 50', false],
    ['io.latency', '8:0 target=max', '', true],
    ['io.latency', '8:0 target=100', '8:0 target=100', true],
    ['rdma.max', 'mlx5_0 hca_handle=2147483647', 'mlx5_0 hca_handle=max hca_object=max', true],
    ['misc.max', 'sev 3', 'sev 3\nsev_es max', true],
    ['misc.max', 'sev 3', 'sev max\nsev_es 3', false],
  ])('%s: wrote %p, reads %p: %p', (file, wanted, kept, answer) => {
    expect(isKept(file, wanted, kept)).toBe(answer)
  })

  it('rounds to the pages of the machine', () => {
    expect(isKept('memory.max', '100000', '65536', { pageSize: 65_536 })).toBe(true)
  })
})

describe('what takes a limit away', () => {
  it.each([
    ['cpu.weight', '50', '100'],
    ['cpu.weight.nice', '-5', '0'],
    ['cpu.max', '50000 20000', 'max 100000'],
    ['cpu.max.burst', '5', '0'],
    ['cpuset.cpus', '0', '\n'],
    ['cpuset.mems', '0', '\n'],
    ['memory.low', '4096', '0'],
    ['memory.max', '4096', 'max'],
    ['memory.swap.max', '0', 'max'],
    ['hugetlb.1GB.rsvd.max', '0', 'max'],
    ['io.max', '8:0 rbps=5', '8:0 rbps=max'],
    ['io.weight', 'default 5', 'default 100'],
    ['io.bfq.weight', '8:0 5', '8:0 default'],
    ['misc.max', 'sev 3', 'sev max'],
  ])('from %s after %p is %p', (file, written, value) => {
    expect(liftedValue(2, file, written)).toBe(value)
    expect(isLift({ file, value })).toBe(true)
    expect(isLift({ file, value: written })).toBe(false)
  })

  it('is nothing where a file is not known, and for a cpuset of v1, which would take nobody any more', () => {
    expect(liftedValue(2, 'dmem.max', 'x 5')).toBeUndefined()
    expect(liftedValue(1, 'cpuset.cpus', '0')).toBeUndefined()
  })
})

function write(controller: string, file: string, value: string): KnobWrite {
  return { controller, file, value }
}

describe('lifting', () => {
  it('takes back what was written and is asked no more, and only that', () => {
    const previous = [
      write('pids', 'pids.max', '5'),
      write('io', 'io.max', '8:0 rbps=5 wbps=6'),
      write('cpuset', 'cpuset.cpus', '0'),
    ]
    const observed = {
      'pids.max': '5',
      'io.max': '8:0 rbps=5 wbps=6 riops=7 wiops=max\n8:16 rbps=5 wbps=max riops=max wiops=max',
      'cpuset.cpus': '0',
      'memory.max': '4096',
    }
    const blockIO = { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] }
    expect(resourceWrites({ blockIO }, { version: 2, observed, previous })).toEqual([
      write('io', 'io.max', '8:0 wbps=max'),
      write('pids', 'pids.max', 'max'),
      write('cpuset', 'cpuset.cpus', '\n'),
    ])
  })

  it('takes the quota away where only a period is left', () => {
    const previous = [write('cpu', 'cpu.max', '5000 10000')]
    const options = { version: 2, observed: { 'cpu.max': '5000 10000' }, previous } as const
    expect(resourceWrites({ cpu: { period: 10_000 } }, options)).toEqual([
      write('cpu', 'cpu.max', 'max 10000'),
    ])
    expect(resourceWrites({}, options)).toEqual([write('cpu', 'cpu.max', 'max 100000')])
  })

  it('leaves alone a knob whose other form is asked for', () => {
    const previous = [write('cpu', 'cpu.weight.nice', '-5')]
    const observed = { 'cpu.weight': '305', 'cpu.weight.nice': '-5', 'cpu.idle': '0' }
    expect(resourceWrites({ cpu: { shares: 1024 } }, { version: 2, observed, previous })).toEqual([
      write('cpu', 'cpu.weight', '100'),
    ])
  })

  it('needs the limit of memory for one of memory and swap, also where it is about to go', () => {
    const previous = [write('memory', 'memory.max', '4096')]
    const observed = { 'memory.max': '4096', 'memory.swap.max': 'max' }
    expect(() => resourceWrites({ memory: { swap: 8192 } }, { version: 2, observed, previous })).toThrow(
      expect.objectContaining({ code: 'ERR_VMCG_INVALID_ARGUMENT' }),
    )
  })
})

describe('what a knob says after a write', () => {
  const DEVICES = [
    { major: 8, minor: 0 },
    { major: 8, minor: 16 },
  ]

  it('is what the kernel says', () => {
    const steps = fc.array(anyResourcesV2(DEVICES), { minLength: 1, maxLength: 4 })
    forAll(steps, (all) => {
      const kernel = new ModelKernelV2()
      for (const { file, value } of all.flatMap((each) => resourceWrites(each, { version: 2 }))) {
        const before = kernel.knobs[file] ?? ''
        if (kernel.write(file, value) !== undefined) continue
        expect([file, value, kernelEcho(file, value, before)]).toEqual([file, value, kernel.knobs[file]])
      }
    })
  })

  it('is undone by what it said before', () => {
    // A change of the cpu's or BFQ's knobs changes others, too.
    const others = anyResourcesV2(DEVICES).map(({ memory, pids, blockIO }) => ({
      ...(memory && { memory }),
      ...(pids && { pids }),
      ...(blockIO && { blockIO }),
    }))
    forAll(fc.tuple(others, others), ([from, to]) => {
      const kernel = new ModelKernelV2()
      for (const { file, value } of resourceWrites(from, { version: 2 })) kernel.write(file, value)
      const reset = resourceWrites(to, { version: 2, observed: kernel.knobs })
      for (const { file, value } of reset) {
        const before = kernel.knobs
        if (file === 'io.bfq.weight') continue
        kernel.write(file, value)
        const undo = undoValue(2, file, value, before[file] ?? '')
        kernel.write(file, undo ?? '')
        expect(linesOf(kernel.knobs[file])).toEqual(linesOf(before[file]))
      }
    })
  })

  function linesOf(text: string | undefined): string[] {
    return (text ?? '').split('\n').sort()
  }
})

it.each([
  ['cpu.max', '', 'max 100000'],
  ['cpu.weight', '', '100'],
  ['cpuset.cpus', '0-3', ''],
  ['cpuset.cpus.effective', '0-3', '0-3'],
  ['memory.max', '4096', 'max'],
  ['memory.low', '4096', '0'],
  ['memory.current', '4096', '0'],
  ['hugetlb.2MB.max', '', 'max'],
  ['io.max', '8:0 rbps=5 wbps=max riops=max wiops=max', ''],
  ['io.weight', 'default 50\n8:0 5', 'default 100'],
  ['rdma.max', 'mlx5_0 hca_handle=5 hca_object=max', 'mlx5_0 hca_handle=max hca_object=max'],
  ['misc.max', 'sev 3\nsev_es 4', 'sev max\nsev_es max'],
])('a new cgroup below one whose %s says %p says %p', (file, inParent, value) => {
  expect(newKnobValue(file, inParent)).toBe(value)
})
