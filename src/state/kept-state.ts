import type { SandboxState } from './state-file'

/**
 * A sandbox's state in memory: parsed while somebody works with it, and only its text at other times. A host has many
 * sandboxes that nobody works with, and parsed a state takes several times as much.
 */
export class KeptState {
  #value: SandboxState | undefined
  #text = ''

  constructor(value: SandboxState) {
    this.#value = value
  }

  get value(): SandboxState {
    this.#value ??= this.#parsed()
    return this.#value
  }

  set value(value: SandboxState) {
    this.#value = value
  }

  /** Keeps no more than the text, until the value is asked for. */
  rest(): void {
    if (this.#value === undefined) return
    this.#text = JSON.stringify(this.#value)
    this.#value = undefined
  }

  #parsed(): SandboxState {
    return JSON.parse(this.#text)
  }
}
