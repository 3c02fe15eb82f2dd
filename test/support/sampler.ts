import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { hierarchiesWith, threadsFile } from './cgroups'

/** A vCPU thread and the leaf that it should never be outside of. */
export interface Watched {
  readonly tid: number
  readonly leaf: string
}

export interface Sightings {
  /** How often everything that was watched was looked at. */
  readonly looks: number
  /** How often a thread was seen outside of its leaf. */
  readonly sightings: number
  /** The first of them, in words. */
  readonly examples: readonly string[]
}

/** Looks at threads from a process of its own, without pause: see `sampler-process.js`. */
export interface Sampler {
  /** Watches these from now on. @returns what was seen since the call before */
  watch(watched: readonly Watched[]): Promise<Sightings>
  /** Ends the process. Safe to call twice. */
  stop(): Promise<void>
}

export async function startSampler(): Promise<Sampler> {
  const child = fork(join(__dirname, 'sampler-process.js'), { execArgv: [] })
  await once(child, 'spawn')
  const hierarchies = hierarchiesWith().map((hierarchy) => ({
    directory: hierarchy.mountPoint,
    // As /proc/<pid>/cgroup names it: v2 by no controller.
    names: hierarchy.version === 1 ? hierarchy.id : '',
    list: threadsFile(hierarchy),
  }))
  return {
    async watch(watched) {
      const answer = once(child, 'message')
      child.send({ watched, hierarchies })
      const [sightings] = await answer
      return sightings
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
