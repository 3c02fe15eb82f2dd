import { type FormFile, Meter, type MeterReading } from '../engine/meter'
import type { Roots } from '../engine/roots'
import type { SandboxPaths } from '../plan/desired'
import type { CgroupStats } from './cgroup-figures'
import { requirePresent, requireRead, WHOLE, wholeFiles, wholeStats } from './cgroup-stats'
import type { Hierarchy } from './hierarchies'
import { hugePageSizes } from './huge-pages'
import { ROLE_FILES, type RoleFile, rolesV1, rolesV2, type SandboxStats, threadsOf } from './stats'
import { groupBits } from './stats-groups'

/** Where a sandbox's figures are. */
export interface StatsPlace {
  readonly paths: Pick<SandboxPaths, 'sandbox' | 'vcpu'>
  /** Those that the sandbox is in. */
  readonly hierarchies: readonly Hierarchy[]
  /** Those that tell what its roles do; undefined: it has none. */
  readonly roles?: { readonly cpu: Hierarchy; readonly cpuacct: Hierarchy | undefined } | undefined
  /** Sizes of huge pages, as the kernel names them. @default those of this host */
  readonly pageSizes?: readonly string[] | undefined
}

const DIRECTORY = { sandbox: WHOLE, vcpu: 1 } as const

/** Reads the figures of one sandbox, or of one cgroup, again and again. */
export class StatsMeter {
  readonly meter: Meter
  readonly #place: StatsPlace
  readonly #pageSizes: readonly string[]

  /** Opens nothing but the roots. @throws as `Roots.id()` */
  constructor(roots: Roots, place: StatsPlace) {
    const { hierarchies, roles, paths } = place
    const hasHugetlb = hierarchies.some(({ controllers }) => controllers.includes('hugetlb'))
    this.#place = place
    this.#pageSizes = hasHugetlb ? (place.pageSizes ?? hugePageSizes()) : []
    const key = [...hierarchies, 'roles', roles?.cpu, roles?.cpuacct, ...this.#pageSizes].map((part) =>
      typeof part === 'object' ? `${part.mountPoint} ${part.version} ${part.controllers.join()}` : part,
    )
    const form = roots.form(key.join('\n'), () => filesOf(place, this.#pageSizes))
    this.meter = new Meter(form, [paths.sandbox, paths.vcpu])
  }

  /** @throws the kernel's error for a file that cannot be read. */
  sandboxStats(reading: MeterReading): SandboxStats {
    const { form } = this.meter
    const { roles, paths } = this.#place
    if (roles === undefined) throw new TypeError('a sandbox without roles')
    requireRead(form, reading, [paths.sandbox, paths.vcpu])
    const { version } = roles.cpu
    const figures = {
      sandbox: form.figuresOf(reading, version, DIRECTORY.sandbox),
      vcpu: form.figuresOf(reading, version, DIRECTORY.vcpu),
    }
    const { vcpu, emulator } =
      version === 1 ? rolesV1(figures, roles.cpuacct !== undefined) : rolesV2(figures)
    const { cpu, throttling, memory, memoryEvents, pids, blkio, hugetlb, pressure } = wholeStats(
      form,
      reading,
      this.#pageSizes,
    )
    const threads = threadsOf(figures, version)
    // Name by name, which is several times as fast as spreading them.
    return { vcpu, emulator, threads, cpu, throttling, memory, memoryEvents, pids, blkio, hugetlb, pressure }
  }

  /** @throws as {@link sandboxStats}; `ENOENT` when the cgroup is in none of the hierarchies. */
  cgroupStats(reading: MeterReading): CgroupStats {
    const { hierarchies, paths } = this.#place
    requireRead(this.meter.form, reading, [paths.sandbox, paths.vcpu])
    requirePresent(reading, hierarchies, paths.sandbox)
    return wholeStats(this.meter.form, reading, this.#pageSizes)
  }

  close(): void {
    this.meter.close()
  }
}

/** A file that serves several groups is read once. */
function filesOf({ hierarchies, roles }: StatsPlace, pageSizes: readonly string[]): readonly FormFile[] {
  const files = new Map<string, FormFile>()
  const add = (file: FormFile) => {
    const key = `${file.mountPoint} ${file.directory} ${file.file}`
    files.set(key, { ...file, groups: file.groups | (files.get(key)?.groups ?? 0) })
  }
  if (roles !== undefined) {
    const { cpu, cpuacct } = roles
    const ofCpuacct = cpu.version === 1 && cpuacct !== undefined ? roleFiles(cpuacct, ROLE_FILES.cpuacct) : []
    for (const file of [...ofCpuacct, ...roleFiles(cpu, ROLE_FILES[cpu.version])]) add(file)
  }
  for (const file of wholeFiles(hierarchies, pageSizes)) add(file)
  return [...files.values()]
}

function roleFiles({ version, mountPoint }: Hierarchy, files: readonly RoleFile[]): readonly FormFile[] {
  return files.map(({ group, role, file }) => ({
    ...file,
    version,
    mountPoint,
    directory: DIRECTORY[role],
    groups: groupBits([group]),
  }))
}
