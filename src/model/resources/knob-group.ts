import type { LinuxResources } from '../generated/oci'

/** Knobs of one controller that the kernel checks against each other, or that stand in for each other. */
export interface KnobGroup {
  readonly controller: string
  readonly files: readonly string[]
  /** The fields that are written to one of them. */
  readonly fields: (resources: LinuxResources) => readonly unknown[]
}
