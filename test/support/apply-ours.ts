import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { detectHost } from '../../src/host/detect'
import { CgroupManager } from '../../src/manager'
import { parseDevicesList } from '../../src/model/devices/device-access'
import { deviceRules } from '../../src/model/devices/device-rules'
import { deviceState } from '../../src/model/devices/device-state'
import { deviceWrites } from '../../src/model/devices/device-writes'
import type { LinuxResources } from '../../src/model/generated/oci'
import type { Knob } from '../../src/model/resources/knob'
import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import { type KnobLines, makeEverywhere, readKnobs, removeEverywhere } from './cgroup-knobs'

/**
 * What the knobs of a new cgroup say when a manager has applied these resources to it.
 *
 * @param path Below the mount points, with a last name that begins with `kata_`; its parent exists. It is gone again
 *   when this returns.
 * @throws What vmcg refuses with.
 */
export async function applyOurs(path: string, resources: LinuxResources): Promise<KnobLines> {
  const stateDir = mkdtempSync(join(tmpdir(), 'vmcg-test-state-'))
  try {
    const manager = await CgroupManager.create({ cgroupsPath: path, stateDir })
    try {
      await manager.apply(resources)
      return readKnobs(path)
    } finally {
      await manager.destroy()
      await manager.close()
    }
  } finally {
    rmSync(stateDir, { recursive: true })
  }
}

/**
 * The same for resources that change one after the other, by the writes alone: what a later step does not name stays as
 * it is, whereas a manager would lift it.
 */
export async function updateOurs(path: string, steps: readonly LinuxResources[]): Promise<KnobLines> {
  makeEverywhere(path)
  try {
    for (const resources of steps) applyOnce(path, resources)
    return readKnobs(path)
  } finally {
    removeEverywhere(path)
  }
}

function applyOnce(path: string, resources: LinuxResources): void {
  const observed = Object.fromEntries(
    knobsOf(resources, 1).map((knob) => [knob.file, textOf(fileOf(path, knob))]),
  )
  const list = fileOf(path, { controller: 'devices', file: 'devices.list' })
  const rules = deviceRules({ containers: resources.devices ?? [], hypervisor: [] })
  const writes = [
    ...resourceWrites(resources, { version: 1, observed }),
    ...deviceWrites(parseDevicesList(readFileSync(list, 'utf8')), deviceState(rules)).map((write) => ({
      controller: 'devices',
      ...write,
    })),
  ]
  for (const { value, ...knob } of writes) writeFileSync(fileOf(path, knob), value)
}

function fileOf(path: string, { controller, file }: Knob): string {
  const hierarchy = detectHost().controller(controller)
  if (hierarchy?.version !== 1) throw new Error(`no v1 hierarchy has ${controller}`)
  return join(hierarchy.mountPoint, path, file)
}

/** Without the newline at the end; undefined where the kernel has no such knob. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\n$/, '')
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return undefined
    throw error
  }
}
