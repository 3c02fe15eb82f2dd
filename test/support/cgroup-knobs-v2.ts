import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LinuxResources } from '../../src/model/generated/oci'
import { knobsOf } from '../../src/model/resources/knobs-of'
import { resourceWrites } from '../../src/model/resources/resource-writes'
import type { KnobLines } from './cgroup-knobs'
import type { Outcome } from './compare-runtimes'
import { removeCgroup } from './remove-cgroup'
import { v2Mount } from './test-cgroups-v2'

/** Of the files that can be written, those that hold processes or do something, and the second form of a weight. */
const NOT_SETTINGS = /^(?:cgroup\.(?!max\.).*|.*\.pressure|.*\.peak|memory\.reclaim|cpu\.weight\.nice)$/

function directoryOf(path: string): string {
  return join(v2Mount() ?? '', path)
}

/** Every setting of a cgroup of v2: the files that can be read and written. */
export function readKnobsV2(path: string): KnobLines {
  const directory = directoryOf(path)
  const files = readdirSync(directory).filter((file) => isSetting(join(directory, file), file))
  return Object.fromEntries(files.map((file) => [file, linesOf(join(directory, file))]))
}

function isSetting(path: string, file: string): boolean {
  const stat = statSync(path)
  return stat.isFile() && (stat.mode & 0o600) === 0o600 && !NOT_SETTINGS.test(file)
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n').sort()
}

/** Takes away a cgroup without children, where it is. */
export function removeV2(path: string): void {
  const directory = directoryOf(path)
  removeCgroup(directory)
}

/**
 * What the knobs of a new cgroup say when these resources have been written to it, one after the other.
 *
 * @param path Below the mount point; its parent exists, and gives it the controllers. It is gone again afterwards.
 */
export function writeOursV2(path: string, steps: readonly LinuxResources[]): Outcome {
  mkdirSync(directoryOf(path))
  try {
    for (const resources of steps) writeOnce(path, resources)
    return readKnobsV2(path)
  } catch (error) {
    return { refused: String(error) }
  } finally {
    removeV2(path)
  }
}

function writeOnce(path: string, resources: LinuxResources): void {
  const observed = Object.fromEntries(knobsOf(resources, 2).map(({ file }) => [file, textOf(path, file)]))
  for (const { file, value } of resourceWrites(resources, { version: 2, observed })) {
    writeFileSync(join(directoryOf(path), file), value, { flag: 'r+' })
  }
}

function textOf(path: string, file: string): string | undefined {
  const knob = join(directoryOf(path), file)
  return statSync(knob, { throwIfNoEntry: false }) && readFileSync(knob, 'utf8').replace(/\n$/, '')
}
