import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { waitFor } from './residents'

/**
 * A named pipe: opening it for writing waits until somebody opens it for reading. A batch that writes to it holds its
 * lane for as long as a test likes.
 */
export class Fifo {
  readonly path: string

  constructor(path: string) {
    execFileSync('mkfifo', [path])
    this.path = path
  }

  /** Lets the batch that waits go on, and keeps the pipe open for it until `release` is called. */
  open(): { release: () => void } {
    const fd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK)
    return { release: () => closeSync(fd) }
  }
}

/** A named pipe: opening it for reading waits until somebody opens it for writing. */
export class WriterFifo {
  readonly path: string

  constructor(path: string) {
    execFileSync('mkfifo', [path])
    this.path = path
  }

  /** Lets the reader that waits go on, and find nothing. */
  letGo(): Promise<void> {
    return waitFor('a reader', () => this.#isRead())
  }

  /** The same after a reading that was given up: it may never have begun. */
  async letGoOfAny(): Promise<void> {
    for (let tries = 0; tries < 50 && !this.#isRead(); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
  }

  #isRead(): boolean {
    try {
      closeSync(openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK))
      return true
    } catch {
      return false
    }
  }
}
