type Errno = 'EINVAL' | 'ERANGE'

const NEW_CGROUP = {
  'cpu.weight': '100',
  'cpu.idle': '0',
  'cpu.max': 'max 100000',
  'cpu.max.burst': '0',
  'cpuset.cpus': '',
  'memory.max': 'max',
  'memory.swap.max': 'max',
  'memory.low': '0',
  'memory.high': 'max',
  'pids.max': 'max',
  'io.max': '',
  'io.weight': 'default 100',
  'io.bfq.weight': 'default 100',
}

const PAGE = 4096n
const LARGEST_PAGES = (2n ** 63n - 1n) / PAGE
const RATES = ['rbps', 'wbps', 'riops', 'wiops']

/**
 * The knobs of one cgroup of v2 that check each other or that the kernel writes in its own words, as Linux 6.1 was seen
 * to: what it refuses, and what it says afterwards. An integration test holds it to the real one.
 */
export class ModelKernelV2 {
  #knobs: Readonly<Record<string, string>> = NEW_CGROUP

  get knobs(): Readonly<Record<string, string>> {
    return this.#knobs
  }

  /** Takes the value, or says why not and changes nothing. */
  write(file: string, value: string): Errno | undefined {
    const before = this.#knobs
    const errno = this.#take(file, value.trim())
    if (errno !== undefined) this.#knobs = before
    return errno
  }

  #take(file: string, value: string): Errno | undefined {
    switch (file) {
      case 'cpu.weight':
        if (Number(value) < 1 || Number(value) > 10_000) return 'ERANGE'
        return this.#knobs['cpu.idle'] === '1' ? 'EINVAL' : this.#set(file, value)
      case 'cpu.idle':
        if (value !== '0' && value !== '1') return 'EINVAL'
        if (value !== this.#knobs[file]) this.#set('cpu.weight', value === '1' ? '0' : '100')
        return this.#set(file, value)
      case 'cpu.max': {
        const [quota = '', period = this.#bandwidth().period] = value.split(' ')
        this.#set(file, `${quota} ${period}`)
        return this.#isBandwidthTaken() ? undefined : 'EINVAL'
      }
      case 'cpu.max.burst':
        this.#set(file, value)
        return this.#isBandwidthTaken() ? undefined : 'EINVAL'
      case 'memory.max':
      case 'memory.swap.max':
      case 'memory.low':
      case 'memory.high':
        return this.#set(file, inPages(value))
      case 'io.max':
        return this.#setRates(value)
      case 'io.weight':
      case 'io.bfq.weight':
        return this.#setWeight(file, value)
      case 'cpuset.cpus':
      case 'pids.max':
        return this.#set(file, value)
      default:
        throw new Error(`${file} is not in the model`)
    }
  }

  #bandwidth(): { readonly quota: string; readonly period: string } {
    const [quota = '', period = ''] = (this.#knobs['cpu.max'] ?? '').split(' ')
    return { quota, period }
  }

  #isBandwidthTaken(): boolean {
    const { quota, period } = this.#bandwidth()
    if (Number(period) < 1_000 || Number(period) > 1_000_000) return false
    if (quota === 'max') return true
    const burst = Number(this.#knobs['cpu.max.burst'])
    return Number(quota) >= 1_000 && burst <= Number(quota) && burst + Number(quota) < 2 ** 44
  }

  #setRates(line: string): Errno | undefined {
    const [device = '', ...changes] = line.split(' ')
    const lines = this.#linesOf('io.max')
    const rates = new Map(
      (lines.get(device) ?? RATES.map((name) => `${name}=max`).join(' '))
        .split(' ')
        .map((rate) => rate.split('=') as [string, string]),
    )
    for (const [name = '', value = ''] of changes.map((change) => change.split('='))) {
      if (value === '0') return 'ERANGE'
      if (value === '1' || !RATES.includes(name)) return 'EINVAL'
      rates.set(name, name.endsWith('iops') && Number(value) >= 2 ** 32 - 1 ? 'max' : value)
    }
    const isFree = [...rates.values()].every((rate) => rate === 'max')
    if (isFree) lines.delete(device)
    else lines.set(device, [...rates].map((rate) => rate.join('=')).join(' '))
    return this.#setLines('io.max', lines)
  }

  #setWeight(file: string, line: string): Errno | undefined {
    const [key = '', weight = ''] = line.split(' ')
    if (weight === '0') return file === 'io.weight' ? 'EINVAL' : 'ERANGE'
    const isWhole = key === 'default'
    const lines = isWhole && file === 'io.bfq.weight' ? new Map<string, string>() : this.#linesOf(file)
    if (weight === 'default') lines.delete(key)
    else lines.set(key, weight)
    return this.#setLines(file, lines)
  }

  #linesOf(file: string): Map<string, string> {
    const lines = (this.#knobs[file] ?? '').split('\n').filter((line) => line !== '')
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]))
  }

  #setLines(file: string, lines: ReadonlyMap<string, string>): undefined {
    this.#set(file, [...lines].map((line) => line.join(' ')).join('\n'))
  }

  #set(file: string, value: string): undefined {
    this.#knobs = { ...this.#knobs, [file]: value }
  }
}

function inPages(value: string): string {
  if (value === 'max') return value
  const bytes = value.endsWith('M') ? BigInt(value.slice(0, -1)) * 2n ** 20n : BigInt(value)
  const pages = bytes / PAGE
  return pages >= LARGEST_PAGES ? 'max' : String(pages * PAGE)
}
