import { styleText } from 'node:util'
import { badArgument, checkObject, checkOptionalBoolean } from '../model/argument'
import { formatDeviceRule } from '../model/device-rule'
import { threadsFile } from '../model/unified'
import { checkPlan } from './checked-plan'
import type { Operation, Plan, SetDeviceProgram } from './operations'

export interface FormatPlanOptions {
  /** Colours for a terminal. @default false */
  readonly color?: boolean | undefined
  /** `'diff'` to read, `'shell'` to run by hand as root. @default 'diff' */
  readonly as?: 'diff' | 'shell' | undefined
}

/**
 * A plan as text, one operation a line, ended by a newline.
 *
 * `diff`: `+` makes, `-` removes, `~` changes a value, `>` moves threads; cgroups are written `hierarchy:path`.
 * `shell`: the commands that would do the same. An empty plan says so in both.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no plan, and for other options.
 */
export function formatPlan(plan: Plan, options: FormatPlanOptions = {}): string {
  checkArguments(plan, options)
  const format = options.as === 'shell' ? shellLines : diffLines
  const lines = [
    ...plan.stages.flatMap(({ name, operations }) => [
      { sign: '#', text: comment(`${plan.sandbox}: ${name}`) },
      ...operations.flatMap((operation) => format(operation, plan)),
    ]),
    ...plan.warnings.map((warning) => ({ sign: '!', text: comment(`warning: ${warning}`) })),
  ]
  if (plan.stages.length === 0) lines.push({ sign: '#', text: comment(`${plan.sandbox}: nothing to do`) })
  return lines.map(({ sign, text }) => `${options.color === true ? paint(sign, text) : text}\n`).join('')
}

function checkArguments(plan: Plan, options: FormatPlanOptions): void {
  checkPlan(plan)
  checkObject('options', options)
  checkOptionalBoolean('color', options.color)
  const { as = 'diff' } = options
  if (as !== 'diff' && as !== 'shell') throw badArgument('as', "'diff' or 'shell'", as)
}

interface Line {
  readonly sign: string
  readonly text: string
}

const COLORS: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  '+': 'green',
  '-': 'red',
  '~': 'yellow',
  '>': 'cyan',
  '!': 'magenta',
  '#': 'dim',
}

function paint(sign: string, text: string): string {
  const color = COLORS[sign]
  return color === undefined ? text : styleText(color, text, { validateStream: false })
}

function diffLines(operation: Operation): readonly Line[] {
  const where = `${operation.hierarchy}:${operation.path}`
  switch (operation.kind) {
    case 'make-directory':
      return [{ sign: '+', text: `+ ${where}${operation.shared ? '  (shared, stays)' : ''}` }]
    case 'tag':
      return [{ sign: '+', text: `+ ${where}  tag ${operation.owner}` }]
    case 'write-knob': {
      const change = `${shown(operation.previous)} → ${shown(operation.value)}`
      return [{ sign: '~', text: `~ ${where}  ${operation.knob} ${change}` }]
    }
    case 'device-program':
      return [{ sign: '~', text: `~ ${where}  ${programChange(operation)}` }]
    case 'freeze':
      return [{ sign: '~', text: `~ ${where}  freeze, for the writes that follow` }]
    case 'thaw':
      return [{ sign: '~', text: `~ ${where}  thaw` }]
    case 'move-process':
      return [{ sign: '>', text: `> ${where}  process ${operation.pid}, all its threads` }]
    case 'move-threads':
      return [{ sign: '>', text: `> ${where}  threads ${operation.tids.join(' ')}` }]
    case 'remove-directory':
      return [{ sign: '-', text: `- ${where}` }]
  }
}

function shellLines(operation: Operation, plan: Plan): readonly Line[] {
  const directory = `${plan.mounts[operation.hierarchy] ?? ''}${operation.path}`
  const line = (sign: string, text: string): readonly Line[] => [{ sign, text }]
  switch (operation.kind) {
    case 'make-directory':
      return line('+', `mkdir ${operation.shared ? '-p ' : ''}${quote(directory)}`)
    case 'tag':
      return line('+', `setfattr -n ${operation.attribute} -v ${quote(operation.owner)} ${quote(directory)}`)
    case 'write-knob':
      return line('~', `${print(operation.value)} > ${quote(`${directory}/${operation.knob}`)}`)
    case 'device-program':
      return line('~', programCommand(operation, directory))
    case 'freeze': {
      const state = quote(`${directory}/freezer.state`)
      return line('~', `echo FROZEN > ${state}; until grep -qx FROZEN ${state}; do sleep 0.01; done`)
    }
    case 'thaw':
      return line('~', `echo THAWED > ${quote(`${directory}/freezer.state`)}`)
    case 'move-process':
      return line('>', `echo ${operation.pid} > ${quote(`${directory}/cgroup.procs`)}`)
    case 'move-threads': {
      const tasks = quote(`${directory}/${threadsFile(operation.hierarchy)}`)
      return line('>', `for tid in ${operation.tids.join(' ')}; do echo $tid > ${tasks}; done`)
    }
    case 'remove-directory':
      return line('-', `rmdir ${quote(directory)}`)
  }
}

/** `devices c 1:3 rwm, c 5:0 rw (program vmcg_8e0c0a4b5d in place of vmcg_92d34368c9)`. */
function programChange({ program, replaces }: SetDeviceProgram): string {
  const before = replaces === null ? '' : ` in place of ${replaces.name}`
  if (program === null) return `devices: all of them again (no program${before})`
  const { access } = program
  const granted = access.byDefault === 'allow' ? [] : access.exceptions.map(formatDeviceRule)
  return `devices ${granted.join(', ') || 'none'} (program ${program.name}${before})`
}

/** No shell can load a program that is in no file; what it can do is to take one off. */
function programCommand({ program, replaces }: SetDeviceProgram, directory: string): string {
  if (program !== null)
    return `# no command loads this: bpf(2), the device program ${program.name} on ${quote(directory)}`
  return `bpftool cgroup detach ${quote(directory)} cgroup_device id ${replaces?.id ?? 0}`
}

/** Every line of it is a comment, so that none of it is run. */
function comment(text: string): string {
  return `# ${text.replaceAll('\n', '\n# ')}`
}

/** A knob's value on one line: null is one that cannot be read; what empties a cpuset of v2 is a newline. */
function shown(value: string | null): string {
  if (value === null) return '(unreadable)'
  return value.trim().replaceAll('\n', '; ') || '(empty)'
}

/** `echo`, where it prints a value as it is in every shell: some take backslashes and `-n` for something else. */
function print(value: string): string {
  if (value === '\n') return 'echo'
  return `${/\\|^-\D/.test(value) ? "printf '%s\\n'" : 'echo'} ${quote(value)}`
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
