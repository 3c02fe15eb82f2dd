import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isVmcgError } from '../../src/errors'
import { cgroupMounts, placesOf } from './cgroups'
import { runChild } from './child-process'
import type { LifePlace } from './lives'
import { ManagerBench } from './manager-bench'
import { stride } from './scale'
import type { StandIn } from './stand-in'

export type Kind = 'sandbox' | 'manager'

/** Where lives are lived that end too early, and what they are lived with. */
export interface Ground {
  readonly bench: ManagerBench
  readonly standIn: StandIn
  readonly vcpus: readonly number[]
  /** Where the stand-in came from, by hierarchy. */
  readonly origin: Readonly<Record<string, string>>
}

export async function newGround(): Promise<Ground> {
  const bench = new ManagerBench()
  const standIn = await bench.standIn()
  const vcpus = await standIn.start(2)
  return { bench, standIn, vcpus, origin: placesOf(standIn.pid) }
}

export function placeOn({ bench, standIn, vcpus }: Ground, id: string): LifePlace {
  return { parent: bench.parent, stateDir: bench.stateDir, id, pid: standIn.pid, vcpus }
}

/**
 * Lives a life in a process of its own that is killed after its n-th step.
 *
 * @returns false when the life was over before that.
 */
export async function dieAfter(kind: Kind, steps: number, place: LifePlace): Promise<boolean> {
  const child = runChild('end-after.ts', [kind, String(steps), 'die', JSON.stringify(place)])
  const [code, signal] = await once(child, 'exit')
  if (code === 0) return false
  if (signal !== 'SIGKILL') throw new Error(`a ${kind}'s life of ${steps} steps ended with ${code ?? signal}`)
  return true
}

/**
 * Has a life end after its first step, its second, and so on, or only some of them where a stride says so; what comes
 * after it is told which step that was.
 *
 * @returns the last step that was tried, of a life that has one more or many
 */
export async function atEveryStep(
  kind: Kind,
  ground: Ground,
  afterwards: (place: LifePlace, step: number) => Promise<void>,
): Promise<number> {
  for (let step = 1; ; step += stride()) {
    const place = placeOn(ground, `${kind}${step}`)
    try {
      if (!(await dieAfter(kind, step, place))) return step - stride()
      await afterwards(place, step)
      await expectNothingLeft(ground, place)
    } catch (cause) {
      throw new Error(`after step ${step} of a ${kind}'s life: ${describe(cause)}`, { cause })
    }
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error || isVmcgError(cause) ? cause.message : String(cause)
}

/** No state, no lock, no cgroup but the shared parent, and everybody alive and back at home. */
async function expectNothingLeft({ bench, standIn, vcpus, origin }: Ground, { parent }: LifePlace) {
  expect(readdirSync(bench.stateDir)).toEqual([])
  const left = cgroupMounts()
    .map(({ mountPoint }) => join(mountPoint, parent))
    .filter((directory) => existsSync(directory))
    .filter((directory) =>
      readdirSync(directory, { withFileTypes: true }).some((entry) => entry.isDirectory()),
    )
  expect(left).toEqual([])
  for (const tid of [standIn.pid, ...vcpus]) expect(placesOf(tid)).toEqual(origin)
  // What was left frozen would not answer.
  await standIn.start(0)
}

/** What taking up says where there is nothing (any more) to be taken up. */
export function isDestroyed(error: unknown): boolean {
  return isVmcgError(error) && error.code === 'ERR_VMCG_DESTROYED'
}
