import { CONFIG_JSON_KEY } from 'vmcg'

const PERIOD_US = 100_000

/**
 * A container as its runtime hands it over: the OCI config.json as text in an annotation.
 *
 * @param {string} id
 * @param {number} quota CPU time in each 100 ms, in microseconds
 * @returns {import('vmcg').ContainerConfig}
 */
export function container(id, quota) {
  const config = {
    ociVersion: '1.2.0',
    linux: { resources: { cpu: { quota, period: PERIOD_US } } },
  }
  return { id, annotations: { [CONFIG_JSON_KEY]: JSON.stringify(config) } }
}

/**
 * @param {string} id
 * @param {number} quota
 */
export function describeContainer(id, quota) {
  return `container ${id} asks for ${quota} of each ${PERIOD_US} us: ${(100 * quota) / PERIOD_US} % of a CPU`
}
