import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// The kernel's own answers, by plain reads: what vmcg did is never asked of vmcg. A controller is used where it lives,
// so that one text of a test holds on hosts of cgroup v1, of v2, and of both. What is written and read there is in
// cgroup-limits.ts.

/** The controllers that can tell the threads of a process apart; on v2, `cpuacct` is a part of every cgroup. */
export const CONTROLLERS = ['cpu', 'cpuacct', 'cpuset'] as const
export type Controller = (typeof CONTROLLERS)[number] | 'freezer' | 'memory' | 'pids'

export interface Thread {
  readonly tid: number
  readonly name: string
}

export interface Hierarchy {
  /** As vmcg names it: the controllers that are mounted together, or `unified`. */
  readonly id: string
  readonly version: 1 | 2
  readonly mountPoint: string
}

let count = 0

/** The path of a cgroup that nobody else has. Nothing is made. */
export function freshPath(): string {
  count += 1
  return `/vmcg-test-${process.pid}-${count}`
}

/** Every mounted cgroup file system. */
export function cgroupMounts() {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' - '))
    .map(([before = '', after = '']) => {
      const [type, , options = ''] = after.split(' ')
      return { type, mountPoint: before.split(' ')[4] ?? '', options: options.split(',') }
    })
    .filter(({ type }) => type === 'cgroup' || type === 'cgroup2')
}

/** Where a controller lives: in a v1 hierarchy where it is mounted so, else on v2. */
export function hierarchyWith(controller: Controller): Hierarchy {
  const mounts = cgroupMounts()
  const v1 = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller))
  if (v1 !== undefined) return { id: mountedWith(controller), version: 1, mountPoint: v1.mountPoint }
  const v2 = mounts.find(({ type }) => type === 'cgroup2')
  if (v2 === undefined) throw new Error(`${controller} is mounted nowhere`)
  return { id: 'unified', version: 2, mountPoint: v2.mountPoint }
}

function mountedWith(controller: Controller): string {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n')
  const names = lines.map((line) => line.split(':')[1] ?? '')
  return names.find((name) => name.split(',').includes(controller)) ?? controller
}

/** The id of the hierarchy that a controller lives in, such as `cpu,cpuacct` where those are mounted together. */
export function hierarchyOf(controller: Controller): string {
  return hierarchyWith(controller).id
}

/** The hierarchies of controllers, each once: two can share one, as systemd mounts cpu and cpuacct. */
export function hierarchiesWith(controllers: readonly Controller[] = CONTROLLERS): Hierarchy[] {
  const all = controllers.map(hierarchyWith)
  return all.filter(({ id }, index) => all.findIndex((other) => other.id === id) === index)
}

/** Whether single threads are held by v2 here, which never parts a thread from the cgroup of its process. */
export function isUnified(): boolean {
  return hierarchyWith('cpu').version === 2
}

export function directory(controller: Controller, path: string): string {
  const { mountPoint } = hierarchyWith(controller)
  return path === '/' ? mountPoint : join(mountPoint, path)
}

/** Whether there is such a cgroup, in the hierarchy of one controller or in any that holds threads. */
export function exists(path: string, ...controllers: readonly Controller[]): boolean {
  const asked = controllers.length === 0 ? CONTROLLERS : controllers
  return asked.some((name) => statSync(directory(name, path), { throwIfNoEntry: false }) !== undefined)
}

/** Whether a controller knows of a cgroup: on v2 it can be there without it. */
export function isControlled(path: string, controller: Controller): boolean {
  if (!exists(path, controller)) return false
  return (
    hierarchyWith(controller).version === 1 ||
    readKnob(controller, path, 'cgroup.controllers').split(' ').includes(controller)
  )
}

/** The file of a cgroup that lists its own threads. */
export function threadsFile({ version }: Pick<Hierarchy, 'version'>): string {
  return version === 1 ? 'tasks' : 'cgroup.threads'
}

/** The threads in a cgroup itself, ascending, by a fresh open. */
export function threadsIn(path: string, controller: Controller = 'cpu'): number[] {
  return idsIn(controller, path, threadsFile(hierarchyWith(controller)))
}

function idsIn(controller: Controller, path: string, file: string): number[] {
  return readKnob(controller, path, file)
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .sort((a, b) => a - b)
}

export function readKnob(controller: Controller, path: string, knob: string): string {
  return readFileSync(join(directory(controller, path), knob), 'utf8').trimEnd()
}

export function writeKnob(controller: Controller, path: string, knob: string, value: string | number): void {
  writeFileSync(join(directory(controller, path), knob), String(value), { flag: 'r+' })
}

/** Where a thread is, by hierarchy, in one answer of the kernel; on v1 a thread on its way out is in `/`. */
export function placesOf(tid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${tid}/cgroup`, 'utf8').trimEnd().split('\n')
  return Object.fromEntries(
    lines.map((line) => {
      const [number, names = '', ...path] = line.split(':')
      return [number === '0' ? 'unified' : names, path.join(':')]
    }),
  )
}

type Places = Record<(typeof CONTROLLERS)[number], string>

/** The same, for the controllers that hold single threads. */
export function placeOf(tid: number): Places {
  const places = placesOf(tid)
  const path = (controller: Controller) => places[hierarchyOf(controller)] ?? ''
  return { cpu: path('cpu'), cpuacct: path('cpuacct'), cpuset: path('cpuset') }
}

/** The same path for every controller, to compare `placeOf` with. */
export function everywhere(path: string): Places {
  return { cpu: path, cpuacct: path, cpuset: path }
}

/** The cgroup in which a controller that looks at whole processes counts a thread: on v2 not one of threads. */
export function countedIn(tid: number, controller: Controller): string {
  const { id, version } = hierarchyWith(controller)
  const path = placesOf(tid)[id] ?? ''
  const isThreaded = version === 2 && path !== '/' && readKnob(controller, path, 'cgroup.type') === 'threaded'
  return isThreaded ? join(path, '..') : path
}

export function threadsOf(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => ({
    tid: Number(tid),
    name: readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trimEnd(),
  }))
}

/** The kernel's own threads that are named after a VMM: they are none of its threads. */
export function kernelThreadsFor(pid: number): number[] {
  const names = [`kvm-pit/${pid}`, `vhost-${pid}`]
  const nameOf = (id: string): string => {
    try {
      return readFileSync(`/proc/${id}/comm`, 'utf8').trimEnd()
    } catch {
      return ''
    }
  }
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && names.includes(nameOf(entry)))
    .map(Number)
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

/** Makes a cgroup that processes can be moved into, and that has what these controllers limit it by. */
export function makeCgroup(path: string, controllers: readonly Controller[] = CONTROLLERS): void {
  for (const { version, mountPoint } of hierarchiesWith(controllers)) {
    if (version === 2) handDown(join(path, '..'), controllers)
    mkdirSync(join(mountPoint, path))
  }
  if (!controllers.includes('cpuset') || hierarchyWith('cpuset').version === 2) return
  for (const knob of ['cpuset.cpus', 'cpuset.mems'])
    writeKnob('cpuset', path, knob, readKnob('cpuset', join(path, '..'), knob))
}

/** Makes a cgroup of v2 that single threads of the processes in the one above it can be moved into. */
export function makeThreaded(path: string): void {
  mkdirSync(directory('cpu', path))
  writeKnob('cpu', path, 'cgroup.type', 'threaded')
}

/** On v2, has a cgroup and all above it hand controllers down. */
export function handDown(path: string, controllers: readonly Controller[]): void {
  if (path !== '/') handDown(join(path, '..'), controllers)
  const wanted = controllers.filter(
    (name) => name !== 'cpuacct' && hierarchyWith(name).version === 2 && !isHandedDown(path, name),
  )
  const [first] = wanted
  if (first !== undefined)
    writeKnob(first, path, 'cgroup.subtree_control', wanted.map((name) => `+${name}`).join(' '))
}

function isHandedDown(path: string, controller: Controller): boolean {
  return readKnob(controller, path, 'cgroup.subtree_control').split(' ').includes(controller)
}

/** Every cgroup below a path, and itself, from the leaves up; none where it does not exist. */
export function cgroupsBelow(controller: Controller, path: string): string[] {
  if (!exists(path, controller)) return []
  const children = readdirSync(directory(controller, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(path, name))
  return [...children.flatMap((child) => cgroupsBelow(controller, child)), path]
}

export function moveThread(
  path: string,
  tid: number,
  controllers: readonly Controller[] = CONTROLLERS,
): void {
  for (const hierarchy of hierarchiesWith(controllers)) writeId(hierarchy, path, threadsFile(hierarchy), tid)
}

export function moveProcess(
  path: string,
  pid: number,
  controllers: readonly Controller[] = CONTROLLERS,
): void {
  for (const hierarchy of hierarchiesWith(controllers)) writeId(hierarchy, path, 'cgroup.procs', pid)
}

function writeId({ mountPoint }: Hierarchy, path: string, file: string, id: number): void {
  writeFileSync(join(mountPoint, path, file), String(id), { flag: 'r+' })
}

const EVERY: readonly Controller[] = [...CONTROLLERS, 'freezer', 'memory', 'pids']

/** Takes away whatever a test left behind, and gives its processes to the root. */
export async function removeCgroups(path: string): Promise<void> {
  for (const controller of EVERY) {
    for (const cgroup of cgroupsBelow(controller, path)) {
      for (let attempt = 0; exists(cgroup, controller); attempt += 1) {
        giveToRoot(controller, cgroup)
        if (attempt < 200) ignoring('EBUSY', () => rmdirSync(directory(controller, cgroup)))
        else rmdirSync(directory(controller, cgroup))
        await sleep(attempt)
      }
    }
  }
}

/** On v2 whole processes, by any of their threads: of a cgroup of threads the kernel lists no processes. */
function giveToRoot(controller: Controller, cgroup: string): void {
  for (const tid of threadsIn(cgroup, controller)) {
    ignoring('ESRCH', () =>
      hierarchyWith(controller).version === 1
        ? moveThread('/', tid, [controller])
        : moveProcess('/', tid, [controller]),
    )
  }
}

function ignoring(code: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== code) throw error
  }
}
