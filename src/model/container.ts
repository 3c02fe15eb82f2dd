import { isVmcgError, VmcgError } from '../errors'
import { checkObject, isObject } from './argument'
import { parseCpuList } from './cpu-list'
import { deepFreeze } from './freeze'
import type { LinuxResources, OciSpec } from './generated/oci'
import { validateSpec } from './generated/validate-spec'
import { quote, short } from './quote'

/** The annotation that holds a container's OCI config.json as text. Source: Kata Containers, pkg/annotations. */
export const CONFIG_JSON_KEY = 'com.github.containers.virtcontainers.pkg.oci.config'

/** One container of a sandbox. */
export interface ContainerConfig {
  /** Names the container in messages; not empty. */
  readonly id: string
  /** The container's annotations; only {@link CONFIG_JSON_KEY} is read. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** A parsed OCI config. Where it is given, the annotation is not read. */
  readonly spec?: OciSpec | undefined
}

/** What one container asks for. */
export interface ContainerResources {
  readonly id: string
  /** Frozen, and a copy: later changes to the config do not reach it. undefined: the container asks for nothing. */
  readonly resources: LinuxResources | undefined
  /** Why the container counts as unlimited although it may not be meant to be. */
  readonly warning?: string
}

/** The member that a JSON pointer of the validator names. */
function memberAt(data: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((at, name) => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined), data)
}

/** What a config is called in messages, and which part of it was given: its JSON paths begin there. */
interface Subject {
  readonly name: string
  readonly root: '' | '/linux/resources'
}

const RESOURCES: Subject = { name: 'linux.resources', root: '/linux/resources' }

function configOf(id: string): Subject {
  return { name: `the OCI config of container ${quote(id)}`, root: '' }
}

function invalidSpec(
  { name }: Subject,
  why: string,
  details: { value?: string; cause?: unknown } = {},
): VmcgError {
  return new VmcgError('ERR_VMCG_INVALID_SPEC', `${name} is invalid: ${why}`, details)
}

function parseAnnotation(subject: Subject, text: unknown): unknown {
  if (typeof text !== 'string')
    throw invalidSpec(subject, `the annotation ${CONFIG_JSON_KEY} must be a string`)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalidSpec(subject, `the annotation ${CONFIG_JSON_KEY} holds no JSON`, {
      cause,
      value: short(text),
    })
  }
}

/** A copy of the part that is read. By way of JSON, so that getters and later changes by the caller play no role. */
function copyOf(subject: Subject, spec: unknown): unknown {
  if (!isObject(spec)) return spec
  try {
    return JSON.parse(JSON.stringify({ linux: Reflect.get(spec, 'linux') }))
  } catch (cause) {
    throw invalidSpec(subject, 'it cannot be written as JSON', { cause })
  }
}

function checkCpuList(subject: Subject, pointer: string, list: string | undefined): void {
  try {
    parseCpuList(list ?? '')
  } catch (cause) {
    if (!isVmcgError(cause)) throw cause
    throw invalidSpec(subject, `${pointerIn(subject, pointer)}: ${cause.message}`, {
      cause,
      value: short(list),
    })
  }
}

/** A JSON path as the caller knows it. */
function pointerIn({ root }: Subject, pointer: string): string {
  return pointer.slice(root.length)
}

function checkSpec(subject: Subject, spec: unknown): OciSpec {
  if (!validateSpec(spec)) {
    const { instancePath = '', message = 'does not fit the schema' } = validateSpec.errors?.[0] ?? {}
    const value = instancePath === '' ? spec : memberAt(spec, instancePath)
    throw invalidSpec(subject, `${pointerIn(subject, instancePath) || 'it'} ${message}`, {
      value: short(value),
    })
  }
  const cpu = spec.linux?.resources?.cpu
  checkCpuList(subject, '/linux/resources/cpu/cpus', cpu?.cpus)
  checkCpuList(subject, '/linux/resources/cpu/mems', cpu?.mems)
  return spec
}

/**
 * Reads what a container asks for from its `spec`, or else from its annotation {@link CONFIG_JSON_KEY}.
 *
 * @returns A frozen copy of `linux.resources`. With neither spec nor annotation: `resources` undefined and a
 *   `warning` for the log; the container then counts as unlimited.
 * @throws `ERR_VMCG_INVALID_SPEC` for text that is no JSON, and for a config that does not fit the OCI specification;
 *   it names the container and the JSON path, as in `/linux/resources/cpu/quota must be integer`.
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for a container without an id, and for what is no container.
 */
export function containerResources(container: ContainerConfig): ContainerResources {
  checkObject('a container', container)
  const { id, annotations, spec } = container
  if (typeof id !== 'string' || id === '') {
    throw new VmcgError('ERR_VMCG_INVALID_ARGUMENT', `a container's id must be a string that is not empty`, {
      value: short(id),
    })
  }
  if (annotations !== undefined) checkObject(`the annotations of container ${quote(id)}`, annotations)
  const annotation = annotations?.[CONFIG_JSON_KEY]
  if (spec === undefined && annotation === undefined) {
    const warning = `container ${quote(id)} has neither a spec nor the annotation ${CONFIG_JSON_KEY}: it counts as unlimited`
    return Object.freeze({ id, resources: undefined, warning })
  }
  const subject = configOf(id)
  const config = checkSpec(
    subject,
    spec === undefined ? parseAnnotation(subject, annotation) : copyOf(subject, spec),
  )
  return Object.freeze({ id, resources: deepFreeze(config.linux?.resources) })
}

/**
 * A frozen copy of OCI `linux.resources`; `{}` for undefined.
 *
 * @throws `ERR_VMCG_INVALID_SPEC` for what does not fit the OCI specification, with the JSON path below the resources,
 *   as in `linux.resources is invalid: /cpu/quota must be integer`.
 */
export function checkedResources(resources: LinuxResources | undefined): LinuxResources {
  if (resources === undefined) return Object.freeze({})
  // As JSON knows no functions and symbols, the copy would be one of no resources.
  if (!isObject(resources)) throw invalidSpec(RESOURCES, 'it must be object', { value: short(resources) })
  const { linux } = checkSpec(RESOURCES, copyOf(RESOURCES, { linux: { resources } }))
  return deepFreeze(linux?.resources) ?? Object.freeze({})
}
