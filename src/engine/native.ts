import { join } from 'node:path'
import { VmcgError } from '../errors'

/**
 * The addon's functions, as `native/binding/addon.cc` exports them. No policy lives below this line: each function
 * does what it is told and answers with a value or a negative errno. A test holds this list against the addon's keys.
 *
 * `OpCode`, `OP_WORDS` and the result layout are the wire format of a batch; `native/core/batch_codec.h` is its
 * other end.
 */
export interface NativeAddon {
  /** Opens a directory (a hierarchy's mount point, /proc) to look up paths beneath. → id ≥ 0, or −errno. */
  openRoot(path: string): number
  /** Forgets a root. Batches that were submitted with it still finish. Unknown ids are ignored. */
  closeRoot(id: number): void
  /**
   * Copies a batch to a lane (0: fast, 1: for what can block long, 2: for files that are replaced). The first and the
   * last run all batches that wait as one burst: they go from WriteIds to WriteIds and from ReplaceFile to ReplaceFile
   * together, each in its own order. `done` is called once, on this thread, with the
   * packed result; those of a burst are called in a row. → ticket ≥ 1, or −EINVAL for a malformed batch, −EBADF for an unknown root.
   */
  submitBatch(
    lane: number,
    ops: Int32Array,
    strings: string,
    ids: Int32Array,
    done: (result: ArrayBuffer) => void,
  ): number
  /** Takes a batch back. → true when it had not started; its `done` is then never called. */
  cancelBatch(ticket: number): boolean
  /**
   * What to read of each of many cgroups that are alike: per file the words `[root, directory, format, groups,
   * fieldCount]`, and in `strings`, joined by NUL, its name and its fields. A field is a name, or `name/divisor`; that
   * of `Numbers` has no name. → id ≥ 0, −EINVAL for a malformed one, −EBADF for an unknown root.
   */
  openForm(words: Int32Array, strings: string): number
  /** Forgets a form. Its meters go on. Unknown ids are ignored. */
  closeForm(id: number): void
  /** The files of a form in `directories`, joined by NUL, relative to the roots. Opens nothing yet. → id ≥ 0, or −errno. */
  openMeter(form: number, directories: string): number
  /** Forgets a meter and closes its files. Readings that were submitted with it still finish. Unknown ids are ignored. */
  closeMeter(id: number): void
  /**
   * Reads the files of those `groups` (bits) of each meter on the lane for reading, with descriptors that are kept open
   * as far as there are enough. `done` is called once, on this thread, with the result of a batch of one operation,
   * whose bytes are float64: how many descriptors are kept at most; then per meter and file, in order, its errno and,
   * where that is 0, its figures. → ticket ≥ 1 for `cancelBatch`, −EINVAL, or −EBADF for an unknown meter.
   */
  readMeters(meters: Int32Array, groups: number, done: (result: ArrayBuffer) => void): number
  /**
   * Opens (makes, 0600, without following links) a file, takes flock(LOCK_EX|LOCK_NB), and writes `holder` over its
   * beginning. → descriptor, or −errno.
   */
  lockFile(path: string, holder: string): number
  /**
   * Starts a program on a thread of its own. It gets, and nothing else of ours is open in it: the descriptors of
   * `stdio` from 0 on, then a pipe for what it has to tell (`native/core/launch_message.h`), then the `files`.
   *
   * `words`: `argc, envc, stdioCount, fileCount`; per stdio a descriptor (copied), −1 for /dev/null, or −2 for a pipe
   * (the first three only); per file `root, isDirectory`. `strings`: the arguments, the environment (`NAME=value`) and the
   * files' paths beneath their roots, joined by NUL. Files are opened for writing, directories for lookups.
   * → ticket ≥ 1, or −EINVAL for a malformed launch, −EBADF for an unknown root or descriptor, −errno.
   */
  launch(words: Int32Array, strings: string, report: LaunchReport): number
  /** kill(2) of a launched child: never a stranger's pid. Before it has started only SIGKILL. → 0, −ESRCH, −errno. */
  signalChild(ticket: number, signal: number): number
  /** Whether Node is not to exit before this child has ended; it is, unless told otherwise. */
  holdChild(ticket: number, isHeld: boolean): void
  /** Makes a unix stream socket at `path` and listens there. → descriptor (close-on-exec), or −errno. */
  listenUnix(path: string): number
  /** Connects to a unix stream socket, non-blocking and close-on-exec. → descriptor, or −errno. */
  connectUnix(path: string): number
  /** SO_PEERCRED: the pid of the process that called listen() on the other end. → pid, or −errno. */
  peerPid(fd: number): number
  /** close(2). → 0, or −errno. */
  closeFd(fd: number): number
  /**
   * stat(2) of `paths`, which are joined by NUL; links are followed. Fills per path the words `[errno, file type
   * (S_IFMT), major, minor]`; the numbers are 0 for what is no device. → 0, or −EINVAL for an array of another length.
   */
  statDevices(paths: string, words: Int32Array): number
}

/** What a launch reports, as the first argument. */
export enum LaunchNews {
  /** `pid, stdin, stdout, stderr`: our ends of the pipes, −1 for none. Not the last report. */
  Started = 0,
  /** `errno, file, step, syscall`: which of the files, or of the arguments, it was; −1: neither. Nothing is left. */
  Failed = 1,
  /** `code, signal`; one of them is 0. */
  Ended = 2,
}

/** Called on this thread: once with Failed, or with Started and later with Ended. */
export type LaunchReport = (
  news: LaunchNews,
  first: number,
  second: number,
  third: number,
  fourth: number | string,
) => void

/** What stands in the place of a descriptor in `launch`. */
export const NULL_DEVICE = -1
export const PIPE = -2

/**
 * One operation of a batch: eight 32-bit words `[code | flags, root, path, value, arg, idsStart, idsCount, group]`.
 * `path`, `value` and `arg` (where it is a name) are indices into `strings`, which are joined by NUL; −1 is none.
 * Paths are relative to the root, and `.` is the root itself; `..`, absolute paths and links that lead out are EXDEV.
 * Groups are numbered in ascending order; a failure stops the rest of its own group only, unless the operation carries
 * `OP_OPTIONAL`. Two WriteIds operations must not share ids: there is one errno per place in `ids`.
 */
export enum OpCode {
  /** mkdirat, 0755. */
  MakeDir = 1,
  /** unlinkat with AT_REMOVEDIR. */
  RemoveDir = 2,
  /** Opens `path` for writing (never O_CREAT) and writes `value` by one write(2). */
  Write = 3,
  /** Opens `path` afresh and reads it whole into the result's bytes. */
  Read = 4,
  /**
   * Opens `path` and writes each of `ids` by a write(2) of its own; every id is tried and has an errno of its own.
   * The operation's errno is that of the open. All descriptors of a run of consecutive WriteIds operations, and of those
   * of the other batches in the burst, are opened before the first id is written. An id of 0 or less is refused with EINVAL and never written.
   */
  WriteIds = 5,
  /** fsetxattr on the directory `path`: attribute `strings[arg]` = `value`. */
  SetXattr = 6,
  /**
   * Opens the directory `path` once and reads, each opened afresh, its files `value` (names joined by `/`) and its
   * attribute `strings[arg]` (−1: none). The result's bytes are `int32` how many answers there are, `int32 errno, length` of
   * the attribute (ENODATA: it has none) and of each file, and then all that was read. The operation's errno is that of
   * opening the directory.
   */
  Inspect = 7,
  /**
   * Lists the threads of a process: root is /proc, `path` its pid. Records of TASK_RECORD_BYTES into the result's
   * bytes; with `arg` 1 no more than the ids of all but the first, the leader.
   */
  ListTasks = 8,
  /** The names of the directories in `path`, each ended by NUL, into the result's bytes. */
  ListDirs = 9,
  /**
   * Loads the device program named `value` (at most 15 of `[A-Za-z0-9_.]`), whose instructions are `ids`, two words
   * each as `struct bpf_insn` lies in memory, and attaches it to the v2 cgroup `path`: beside others, or atomically in
   * the place of the attached program with the id `arg` (0: none). Its record goes into the result's bytes. A program
   * that was attached by this root can be replaced without CAP_SYS_ADMIN until the root is closed.
   */
  SetDeviceProgram = 10,
  /** Takes the device program with the id `arg` off the v2 cgroup `path`; ENOENT when it is not attached. */
  RemoveDeviceProgram = 11,
  /** Records of PROGRAM_RECORD_BYTES of the device programs of the v2 cgroup `path` itself into the result's bytes. */
  ListDevicePrograms = 12,
  /**
   * Replaces the file `path`, or makes it (0600), as a whole: `value` is written to a new file named `strings[arg]` in
   * the same directory, which is synced and renamed. A file or link of that name is removed first. With a failure the
   * old file stays. Of a run of consecutive ReplaceFile operations, and of those of the other batches in the burst, all
   * are written before the first is synced, and synced before the first is renamed.
   */
  ReplaceFile = 13,
}

/**
 * How the numbers of a file are laid out, and what comes of it. A number that is missing or is none is NaN, and `max`
 * is infinity. Integers are divided before they become a double, rounding towards zero.
 */
export enum FigureFormat {
  /** Numbers between spaces and newlines → how many, then each. */
  Numbers = 1,
  /** Lines of a name and a number; the name ends at the last space → one number per field. */
  Fields = 2,
  /** Lines such as `some avg10=0.00 total=5`; a field is named `some avg10` → one number per field. */
  Pairs = 3,
  /** Lines such as `8:0 Read 4096` → how many devices, then of each major, minor, and one number per field. */
  LineDevices = 4,
  /** Lines such as `8:0 rbytes=4096 wbytes=0` → as LineDevices. */
  PairDevices = 5,
  /** → how many lines. The file is opened afresh each time. */
  LineCount = 6,
}

/** Flag in an operation's first word: a failure of this operation does not stop its group. */
export const OP_OPTIONAL = 0x100
export const OP_WORDS = 8

/**
 * The result of a batch, little endian: `int32 opCount, idCount, byteCount, reserved`; per operation
 * `int32 errno (−1: not run), done, microseconds, byteEnd` (bytes of operation n end there and begin where those of
 * n − 1 end; `done` counts the ids written); `int32 errno (−1: not tried)` per id; then the bytes. The bytes of an
 * operation that failed are the name of the system call that did, such as `openat2`, `write` or
 * `bpf(BPF_PROG_LOAD)`; for a program that the verifier refused, a NUL and its words follow.
 */
export const RESULT_HEADER_WORDS = 4
export const RESULT_OP_WORDS = 4

/**
 * `int32 tid, uint32 flags (PF_*), float64 startTime (ticks; NaN: nothing but the tid was asked for), char comm[16]`.
 */
export const TASK_RECORD_BYTES = 32

/**
 * `uint32 id, uint32 attachFlags (BPF_F_*), int32 errno, uint32 reserved, float64 loadTime (microseconds since boot),
 * char tag[8], char name[16]`. With an errno that is not 0 nothing is known but the id and the flags.
 */
export const PROGRAM_RECORD_BYTES = 48

const BUILT = join(__dirname, '..', '..', 'build', 'Release')
const ADDON_PATH = join(BUILT, 'vmcg.node')

/** The program that puts itself into cgroups and becomes another one; `native/launch/main.cc` tells how it is called. */
export const LAUNCH_PROGRAM = join(BUILT, 'vmcg-launch')

function load(): NativeAddon {
  try {
    return require(ADDON_PATH) as NativeAddon
  } catch (cause) {
    throw new VmcgError('ERR_VMCG_NATIVE_ADDON', `the native addon cannot be loaded from ${ADDON_PATH}`, {
      cause,
      path: ADDON_PATH,
      hint: 'npm run build',
    })
  }
}

let addon: NativeAddon | undefined

/**
 * The addon, loaded at the first call. Throws `ERR_VMCG_NATIVE_ADDON` where it is missing or was built for another
 * Node.
 */
export function native(): NativeAddon {
  addon ??= load()
  return addon
}
