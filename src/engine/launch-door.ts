import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { CgroupError } from '../errors'

/** Where a process that was started stops before it becomes another program, until it is let on. */
export interface LaunchDoor {
  /** What it connects to, to say who it is. */
  readonly path: string
  /** The pid of who has come. */
  readonly arrival: Promise<number>
  letIn(): void
  /** Whoever has come, and was not let in, ends. Safe to call twice. */
  close(): void
}

/** sun_path of unix(7), without the NUL. libuv cuts off what is longer, and says nothing. */
const LONGEST_PATH = 107

/** Only vmcg-launch comes here, and it says a number. */
const LONGEST_NUMBER = 16

/**
 * @param path of the socket, in a directory that nobody else can reach; what an earlier one has left there goes.
 * @throws the kernel's error where it cannot be made, such as `ENAMETOOLONG`.
 */
export async function openDoor(path: string): Promise<LaunchDoor> {
  if (Buffer.byteLength(path) > LONGEST_PATH) throw notMade(path, 'ENAMETOOLONG')
  rmSync(path, { force: true })
  const server = createServer()
  let visitor: Socket | undefined
  const arrival = new Promise<number>((resolve) => {
    server.once('connection', (socket) => {
      visitor = socket
      let text = ''
      // Its end is heard of by who waits for the process.
      socket.on('error', () => socket.destroy())
      socket.on('data', (chunk) => {
        text = `${text}${chunk}`.slice(0, LONGEST_NUMBER)
        if (text.endsWith('\n')) resolve(Number(text))
      })
    })
  })
  await listen(server, path)
  return {
    path,
    arrival,
    letIn: () => visitor?.end('\n'),
    close: () => {
      visitor?.destroy()
      server.close()
      rmSync(path, { force: true })
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(notMade(path, String(Reflect.get(cause, 'code')), cause)))
    server.listen(path, resolve)
  })
}

function notMade(path: string, code: string, cause?: Error): CgroupError {
  return new CgroupError(code, `cannot make the socket ${path}: ${code}`, {
    syscall: 'bind',
    path,
    cause,
    hint: 'pass a stateDir with a shorter path',
  })
}
