import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'

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
