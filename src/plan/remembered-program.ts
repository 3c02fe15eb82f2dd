import { JUST_LOADED } from './device-programs'
import type { ObservedProgram } from './observed'
import type { NamedProgram, Operation } from './operations'

/**
 * What is remembered of the device program of a sandbox, also over a crash. The kernel gives a program its id only when
 * it is loaded, so what is about to be loaded is written down first: its name, and the programs that are there already.
 */
export interface RememberedProgram {
  /** The one that is known to have been attached; null: none. */
  readonly attached: NamedProgram | null
  /** One that was about to be attached in its place, and may have been; null: none. */
  readonly loading: { readonly name: string; readonly beside: readonly number[] } | null
}

/**
 * Our program among those that are attached to our cgroup: by its id and its name. One whose loading was interrupted is
 * ours by its name, when it was not there before. Everybody else's is left alone, whatever it is called. null: there is
 * none of ours.
 */
export function ownProgram(
  remembered: RememberedProgram | null,
  programs: readonly ObservedProgram[],
): ObservedProgram | null {
  const { attached, loading } = remembered ?? { attached: null, loading: null }
  const isOurs = ({ id, name }: ObservedProgram): boolean =>
    id === JUST_LOADED ||
    (id === attached?.id && (name === null || name === attached.name)) ||
    (name === loading?.name && !loading.beside.includes(id))
  return programs.find(isOurs) ?? null
}

/** What to remember before these operations are carried out. */
export function rememberedBefore(
  remembered: RememberedProgram | null,
  operations: readonly Operation[],
): RememberedProgram | null {
  return operations.reduce<RememberedProgram | null>((known, operation) => {
    if (operation.kind !== 'device-program') return known
    const { program, replaces } = operation
    const loading = program && { name: program.name, beside: program.beside }
    return replaces === null && loading === null ? null : { attached: replaces, loading }
  }, remembered)
}

/** The part of an operation's outcome that matters here. */
export interface ProgramOutcome {
  readonly operation: Operation
  /** 0, or why it did not go through. */
  readonly errno: number
  /** The id that the kernel gave to the program. */
  readonly programId?: number | undefined
}

/** What to remember once the kernel has answered: the id of what was loaded; and what was refused is not there. */
export function rememberedAfter(
  remembered: RememberedProgram | null,
  outcomes: readonly ProgramOutcome[],
): RememberedProgram | null {
  return outcomes.reduce<RememberedProgram | null>((known, { operation, errno, programId }) => {
    if (operation.kind !== 'device-program') return known
    const { program, replaces } = operation
    if (errno !== 0) return replaces && { attached: replaces, loading: null }
    if (program === null) return null
    return programId === undefined
      ? known
      : { attached: { id: programId, name: program.name }, loading: null }
  }, remembered)
}
