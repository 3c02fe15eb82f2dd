import type { TagAttribute } from '../plan/operations'
import { detectHost, type Host } from './detect'
import { delegatedHost, ownTagAttribute, rootless } from './rootless'

/** A host as this process can use it for one sandbox. */
export interface SandboxHost {
  readonly host: Host
  readonly tagAttribute: TagAttribute
}

/**
 * The host as this process can use it for a sandbox. A user without root's rights uses those hierarchies in which the
 * sandbox's cgroup can be made; where that is none of those with a controller, all of them, so that the kernel says
 * where it refuses.
 *
 * @param path of the sandbox's cgroup below the mount points.
 * @throws as `detectHost()` and {@link delegatedHost}.
 */
export async function sandboxHost(path: string): Promise<SandboxHost> {
  const host = detectHost()
  const tagAttribute = ownTagAttribute(host)
  if (!rootless(host)) return { host, tagAttribute }
  const given = await delegatedHost(host, path)
  const isOfUse = given.hierarchies.some(({ controllers }) => controllers.length > 0)
  return { host: isOfUse ? given : host, tagAttribute }
}
