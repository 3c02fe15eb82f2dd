import { isKept } from '../../src/model/resources/kept'

/** What the parent of the modelled cgroup allows, as a part of one CPU; no limit by default. */
export interface ModelParent {
  readonly cfsRatio?: number
  readonly rtRatio?: number
}

type Errno = 'EINVAL' | 'ERANGE'

const NEW_CGROUP = {
  'cpu.shares': '1024',
  'cpu.idle': '0',
  'cpu.cfs_quota_us': '-1',
  'cpu.cfs_period_us': '100000',
  'cpu.cfs_burst_us': '0',
  'cpu.rt_runtime_us': '0',
  'cpu.rt_period_us': '1000000',
  'memory.limit_in_bytes': '9223372036854771712',
  'memory.memsw.limit_in_bytes': '9223372036854771712',
  'pids.max': 'max',
  'blkio.bfq.weight': '100',
  'blkio.bfq.weight_device': 'default 100',
}

const PAGE = 4096
const LONG_MAX_IN_PAGES = 2n ** 63n - BigInt(PAGE)

/**
 * The knobs of one v1 cgroup that check each other, as Linux 6.18 was seen to: what it refuses, and what it says
 * afterwards. An integration test holds it to the real one.
 */
export class ModelKernel {
  readonly #parent: ModelParent
  #knobs: Readonly<Record<string, string>> = NEW_CGROUP

  constructor(parent: ModelParent = {}) {
    this.#parent = parent
  }

  get knobs(): Readonly<Record<string, string>> {
    return this.#knobs
  }

  /** Takes the value, or says why not and changes nothing. */
  write(file: string, value: string): Errno | undefined {
    const before = this.#knobs
    const errno = this.#take(file, value)
    if (errno !== undefined) this.#knobs = before
    return errno
  }

  #take(file: string, value: string): Errno | undefined {
    if (!(file in this.#knobs)) throw new Error(`${file} is not in the model`)
    switch (file) {
      case 'cpu.shares':
        if (this.#number('cpu.idle') === 1) return 'EINVAL'
        return this.#set(file, String(Math.min(Math.max(Number(value), 2), 262_144)))
      case 'cpu.idle':
        if (value !== '0' && value !== '1') return 'EINVAL'
        if (value !== this.#knobs[file]) this.#set('cpu.shares', value === '1' ? '3' : '1024')
        return this.#set(file, value)
      case 'cpu.cfs_quota_us':
      case 'cpu.cfs_period_us':
      case 'cpu.cfs_burst_us':
        this.#set(file, Number(value) < 0 ? '-1' : value)
        return this.#isBandwidthTaken() ? undefined : 'EINVAL'
      case 'cpu.rt_runtime_us':
      case 'cpu.rt_period_us':
        this.#set(file, value)
        return this.#isRealtimeTaken() ? undefined : 'EINVAL'
      case 'memory.limit_in_bytes':
      case 'memory.memsw.limit_in_bytes':
        this.#set(file, wholePages(value))
        return this.#big('memory.limit_in_bytes') <= this.#big('memory.memsw.limit_in_bytes')
          ? undefined
          : 'EINVAL'
      case 'blkio.bfq.weight':
        this.#set('blkio.bfq.weight_device', `default ${value}`)
        return this.#set(file, value)
      case 'blkio.bfq.weight_device':
        return this.#setDevice(file, value)
      default:
        return this.#set(file, value)
    }
  }

  #isBandwidthTaken(): boolean {
    const quota = this.#number('cpu.cfs_quota_us')
    const period = this.#number('cpu.cfs_period_us')
    const burst = this.#number('cpu.cfs_burst_us')
    if (period < 1_000 || period > 1_000_000) return false
    if (quota === -1) return true
    if (quota < 1_000 || burst > quota || burst + quota > 2 ** 44 - 1) return false
    return quota / period <= (this.#parent.cfsRatio ?? Number.POSITIVE_INFINITY)
  }

  #isRealtimeTaken(): boolean {
    const runtime = this.#number('cpu.rt_runtime_us')
    const period = this.#number('cpu.rt_period_us')
    if (period <= 0 || runtime > period) return false
    return (runtime < 0 ? 1 : runtime / period) <= (this.#parent.rtRatio ?? 1)
  }

  #setDevice(file: string, line: string): Errno | undefined {
    const [device, weight] = line.split(' ')
    if (weight === '0') return 'ERANGE'
    const others = (this.#knobs[file] ?? '').split('\n').filter((each) => !each.startsWith(`${device} `))
    return this.#set(file, [...others, ...(weight === 'default' ? [] : [line])].join('\n'))
  }

  #set(file: string, value: string): undefined {
    this.#knobs = { ...this.#knobs, [file]: value }
  }

  #number(file: string): number {
    return Number(this.#knobs[file])
  }

  #big(file: string): bigint {
    return BigInt(this.#knobs[file] ?? '')
  }
}

function wholePages(value: string): string {
  const bytes = value === '-1' ? LONG_MAX_IN_PAGES : BigInt(value)
  return String(bytes - (bytes % BigInt(PAGE)))
}

/** The first of these writes that a knob does not show in the end. */
export function firstNotKept(
  writes: readonly { readonly file: string; readonly value: string }[],
  knobs: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const lost = writes.find(({ file, value }) => !isKept(file, value, knobs[file] ?? ''))
  return lost && `${lost.file}: wrote ${lost.value}, reads ${knobs[lost.file]}`
}
