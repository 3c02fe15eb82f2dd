import { fail } from './output.mjs'

/**
 * What has to be undone, however the demo ends: each thing is added right after it was made, and undone once, the
 * last one first.
 */
export class Cleanup {
  /** @type {{ what: string, undo: () => Promise<void> | void }[]} */
  #steps = []

  /**
   * @param {string} what for the message, should it fail
   * @param {() => Promise<void> | void} undo says what it did; does nothing when the thing is gone already
   */
  add(what, undo) {
    this.#steps.push({ what, undo })
  }

  /** @returns {Promise<boolean>} false when something is left; the other steps are taken all the same */
  async run() {
    let isDone = true
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo()
      } catch (error) {
        fail(`left behind: ${step.what} (${error instanceof Error ? error.message : error})`)
        isDone = false
      }
    }
    return isDone
  }
}
