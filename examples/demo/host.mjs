import { detectHost } from 'vmcg'
import { heading, say } from './output.mjs'

const LAYOUTS = {
  v1: 'cgroup v1',
  hybrid: 'cgroup v1, and v2 beside it',
  v2: 'cgroup v2',
  none: 'no cgroup hierarchy that could be used',
}

/** Says which version of cgroups was found here, and every hierarchy with its controllers. */
export function sayHost() {
  const { layout, hierarchies, kernel } = detectHost()
  heading(`This host has ${LAYOUTS[layout]} (Linux ${kernel})`)
  for (const { version, mountPoint, controllers } of hierarchies) {
    const offered = controllers.join(' ') || 'no controllers'
    say(`v${version} at ${mountPoint}: ${offered}`)
  }
}
