import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// The kernel's own answers, by plain reads: what vmcg did is never asked of vmcg.

/** The controllers whose hierarchies are granular to the thread. */
export const CONTROLLERS = ['cpu', 'cpuacct', 'cpuset'] as const
export type Controller = (typeof CONTROLLERS)[number]

export interface Thread {
  readonly tid: number
  readonly name: string
}

let count = 0

/** The path of a cgroup that nobody else has. Nothing is made. */
export function freshPath(): string {
  count += 1
  return `/vmcg-test-${process.pid}-${count}`
}

export function directory(controller: Controller, path: string): string {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => ({
      point: line.split(' ')[4] ?? '',
      options: line.split(' - cgroup ')[1]?.split(' ')[1] ?? '',
    }))
    .find(({ options }) => options.split(',').includes(controller))
  if (mount === undefined) throw new Error(`${controller} is not mounted as cgroup v1`)
  return path === '/' ? mount.point : join(mount.point, path)
}

/** A hierarchy by all of its controllers, such as `cpu,cpuacct` where those are mounted together. */
export function hierarchyOf(controller: Controller): string {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n')
  const names = lines.map((line) => line.split(':')[1] ?? '')
  return names.find((name) => name.split(',').includes(controller)) ?? controller
}

export function exists(controller: Controller, path: string): boolean {
  return statSync(directory(controller, path), { throwIfNoEntry: false }) !== undefined
}

/** The threads in a cgroup itself, ascending, by a fresh open. */
export function tasksOf(controller: Controller, path: string): number[] {
  return readKnob(controller, path, 'tasks')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .sort((a, b) => a - b)
}

export function readKnob(controller: Controller, path: string, knob: string): string {
  return readFileSync(join(directory(controller, path), knob), 'utf8').trimEnd()
}

export function writeKnob(controller: Controller, path: string, knob: string, value: string | number): void {
  writeFileSync(join(directory(controller, path), knob), String(value))
}

/** Where a thread is, in one answer of the kernel for all hierarchies; a thread on its way out is in `/`. */
export function placeOf(tid: number): Record<Controller, string> {
  const lines = readFileSync(`/proc/${tid}/cgroup`, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const path = (controller: Controller) =>
    lines.find(([, names]) => names?.split(',').includes(controller))?.[2] ?? ''
  return { cpu: path('cpu'), cpuacct: path('cpuacct'), cpuset: path('cpuset') }
}

/** The same path in every hierarchy, to compare `placeOf` with. */
export function everywhere(path: string): Record<Controller, string> {
  return { cpu: path, cpuacct: path, cpuset: path }
}

export function threadsOf(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => ({
    tid: Number(tid),
    name: readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trimEnd(),
  }))
}

/** False for a process that has ended, also while nobody has waited for it. */
export function isAlive(tid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${tid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

/** Makes a cgroup that threads can be moved into. */
export function makeCgroup(path: string, controllers: readonly Controller[] = CONTROLLERS): void {
  // Two controllers can share a hierarchy, as systemd mounts cpu and cpuacct.
  for (const made of new Set(controllers.map((controller) => directory(controller, path)))) mkdirSync(made)
  if (!controllers.includes('cpuset')) return
  for (const knob of ['cpuset.cpus', 'cpuset.mems'])
    writeKnob('cpuset', path, knob, readKnob('cpuset', join(path, '..'), knob))
}

/** Every cgroup below a path, and itself, from the leaves up; none where it does not exist. */
export function cgroupsBelow(controller: Controller, path: string): string[] {
  if (!exists(controller, path)) return []
  const children = readdirSync(directory(controller, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(path, name))
  return [...children.flatMap((child) => cgroupsBelow(controller, child)), path]
}

/** Takes away whatever a test left behind, and gives its threads to the root. */
export async function removeCgroups(path: string): Promise<void> {
  for (const controller of CONTROLLERS) {
    for (const cgroup of cgroupsBelow(controller, path)) {
      for (let attempt = 0; exists(controller, cgroup); attempt += 1) {
        for (const tid of tasksOf(controller, cgroup))
          ignoring('ESRCH', () => moveThread(controller, '/', tid))
        if (attempt < 200) ignoring('EBUSY', () => rmdirSync(directory(controller, cgroup)))
        else rmdirSync(directory(controller, cgroup))
        await sleep(attempt)
      }
    }
  }
}

export function moveThread(controller: Controller, path: string, tid: number): void {
  writeKnob(controller, path, 'tasks', tid)
}

export function moveProcess(path: string, pid: number): void {
  for (const controller of CONTROLLERS) writeKnob(controller, path, 'cgroup.procs', pid)
}

function ignoring(code: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== code) throw error
  }
}
