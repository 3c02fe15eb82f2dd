/** What a driver is told beside its runs (bench/drivers/serve.mjs); nothing of that is measured. */
const OTHERS = ['prepare', 'undo', 'also']

/** @param {string} line that a driver is told, after its first one */
export function isRun(line) {
  return !OTHERS.includes(line)
}
