import { CgroupError, errnoName, errnoText, VmcgError } from '../errors'
import { Form, type FormFile } from './meter'
import { native } from './native'

/**
 * Directories that paths are looked up beneath: the mount points of hierarchies, and /proc. All that are in use at once
 * in one JavaScript thread share their descriptors, which the last of them closes.
 */
export class Roots {
  readonly #table: RootTable
  #own: Map<string, number> | undefined
  #isClosed = false

  constructor() {
    inUse ??= new RootTable()
    this.#table = inUse
    this.#table.users += 1
  }

  /** @throws the kernel's error, with the directory; `ERR_VMCG_CLOSED` after `close()`: nobody would close it again. */
  id(directory: string): number {
    this.#refuseClosed(directory)
    return this.#own?.get(directory) ?? openedOnce(this.#table.ids, directory)
  }

  /**
   * A root that no other shares, from then on also for {@link id}. The device programs that are attached by it are held
   * until `close()`.
   *
   * @throws as {@link id}.
   */
  ownId(directory: string): number {
    this.#refuseClosed(directory)
    this.#own ??= new Map()
    return openedOnce(this.#own, directory)
  }

  /**
   * The form that anybody who shares these roots has made under this key, or a new one. It is closed with the last of
   * them.
   */
  form(key: string, files: () => readonly FormFile[]): Form {
    this.#refuseClosed(key)
    const known = this.#table.forms.get(key)
    if (known !== undefined) return known
    const made = new Form(files(), (mountPoint) => openedOnce(this.#table.ids, mountPoint))
    this.#table.forms.set(key, made)
    return made
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const id of this.#own?.values() ?? []) native().closeRoot(id)
    this.#own = undefined
    this.#table.users -= 1
    if (this.#table.users > 0) return
    if (inUse === this.#table) inUse = undefined
    this.#table.close()
  }

  #refuseClosed(what: string): void {
    if (!this.#isClosed) return
    throw new VmcgError('ERR_VMCG_CLOSED', `${what} is not opened any more: it was closed meanwhile`)
  }
}

/** The ids belong to the addon's side of this JavaScript thread, which has one copy of this module. */
class RootTable {
  readonly ids = new Map<string, number>()
  readonly forms = new Map<string, Form>()
  users = 0

  close(): void {
    for (const form of this.forms.values()) form.close()
    for (const id of this.ids.values()) native().closeRoot(id)
  }
}

let inUse: RootTable | undefined

function openedOnce(ids: Map<string, number>, directory: string): number {
  const known = ids.get(directory)
  if (known !== undefined) return known
  const id = native().openRoot(directory)
  if (id < 0) {
    throw new CgroupError(errnoName(-id), `cannot open ${directory}: ${errnoText(-id)}`, {
      errno: id,
      syscall: 'open',
      path: directory,
    })
  }
  ids.set(directory, id)
  return id
}
