import { isDeepStrictEqual } from 'node:util'
import type { TagAttribute } from '../plan/operations'
import { type Host, type HostTexts, hostFrom, readHostTexts, readV2Controllers } from './detect'
import { delegatedHost, rootless } from './rootless'

/** A host as this process can use it for one cgroup. */
export interface SandboxHost {
  /** With those hierarchies only in which a user without root's rights can make the cgroup; for root all of them. */
  readonly host: Host
  /** With all of them, also those that were not given to this user. */
  readonly wholeHost: Host
  /** Without root's rights, and without a hierarchy with controllers in which the cgroup could be made. */
  readonly isPowerless: boolean
  /**
   * The extended attribute that this process can mark its directories with: `trusted.*` takes the host's root.
   * Source: xattr(7).
   */
  readonly tagAttribute: TagAttribute
}

/**
 * Looks at the host, and at what of it this process can use for a cgroup.
 *
 * @param path of the cgroup below the mount points.
 * @throws as `detectHost()` and {@link delegatedHost}.
 */
export async function sandboxHost(path: string): Promise<SandboxHost> {
  const wholeHost = currentHost()
  if (!rootless(wholeHost)) {
    return { host: wholeHost, wholeHost, isPowerless: false, tagAttribute: 'trusted.vmcg' }
  }
  const host = await delegatedHost(wholeHost, path)
  const isPowerless = host.hierarchies.every(({ controllers }) => controllers.length === 0)
  return { host, wholeHost, isPowerless, tagAttribute: 'user.vmcg' }
}

let latest: { readonly texts: HostTexts; readonly host: Host } | undefined

/**
 * The host as it is now; the object of the last look where that saw the same, so that all sandboxes have one, and
 * thousands of them are made without parsing the same mounts as often.
 */
function currentHost(): Host {
  const texts = readHostTexts()
  if (latest === undefined || !isDeepStrictEqual(texts, latest.texts) || !isAsSeen(latest.host)) {
    const now = hostFrom(texts)
    const before = latest?.host
    const isSame = before !== undefined && isDeepStrictEqual(seenOn(now), seenOn(before))
    latest = { texts, host: isSame ? before : now }
  }
  return latest.host
}

/** All of it that can be compared. */
function seenOn({ controller: _, ...seen }: Host): Omit<Host, 'controller'> {
  return seen
}

/** What the texts do not tell. */
function isAsSeen({ isRoot, hierarchies }: Host): boolean {
  const v2 = hierarchies.find(({ version }) => version === 2)
  return (
    isRoot === (process.geteuid?.() === 0) &&
    (v2 === undefined || isDeepStrictEqual(readV2Controllers(v2.mountPoint), v2.controllers))
  )
}
