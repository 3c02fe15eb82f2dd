import type { LinuxResources } from '../model/generated/oci'
import { withoutMissingSizes } from '../model/resources/huge-page-size'
import { throwUnsupported } from '../model/resources/unsupported'
import { withoutEmptyLists } from './asked'
import type { Desired } from './desired'
import { askedKnobs } from './needed-controllers'
import { CORE, resourcesWithout, type VersionOf } from './versions'

/** What a host has to serve resources with. */
export interface Means {
  readonly versionOf: VersionOf
  /** Controllers that are there, and that this user was not given. */
  readonly withheld: readonly string[]
  /** As the kernel names them; none where it has no huge pages at all. */
  readonly hugePageSizes: () => readonly string[]
}

export interface Served {
  readonly resources: LinuxResources
  /** What is left out of them, and why, a sentence each. */
  readonly leftOut: readonly string[]
}

/**
 * The part of resources that a host has something for at all: its controllers, and its sizes of huge pages. What is left
 * out, where that is wished, is told. The cpu controller is never done without, and what was not given to this user is
 * for whoever can give it.
 *
 * @param unsupported `'error'`: controllers are not looked at, since who looks for their hierarchies knows more.
 * @throws where it is `'error'`: `ERR_VMCG_UNSUPPORTED` for a size of huge pages that the host has not.
 */
export function served(
  resources: LinuxResources,
  unsupported: Desired['unsupported'],
  { versionOf, withheld, hugePageSizes }: Means,
): Served {
  if (unsupported === 'error') {
    return { resources: withoutMissingSizes(resources, hugePageSizes, throwUnsupported), leftOut: [] }
  }
  const leftOut: string[] = []
  const sized = withoutMissingSizes(resources, hugePageSizes, ({ message }) => leftOut.push(message))
  const isMissing = (controller: string) =>
    versionOf(controller) === undefined && !['cpu', CORE, ...withheld].includes(controller)
  const missing = askedKnobs(withoutEmptyLists(sized), versionOf).filter(({ controller }) =>
    isMissing(controller),
  )
  const controllers = new Set(missing.map(({ controller }) => controller))
  for (const name of controllers) {
    const files = missing.filter(({ controller }) => controller === name).map(({ file }) => file)
    leftOut.push(`${files.join(', ')}: the ${name} controller is not mounted`)
  }
  return { resources: resourcesWithout(controllers, sized), leftOut }
}
