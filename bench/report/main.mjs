// `npm run bench:report -- SAVED_RUN` writes docs/benchmarks.md, its charts, and the run beside them; a second argument
// is another folder to write to.

import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ROOT } from '../folders.mjs'
import { writeReport } from './write.mjs'

const [saved, folder = join(ROOT, 'docs')] = process.argv.slice(2)
if (saved === undefined) {
  console.error('usage: npm run bench:report -- SAVED_RUN [FOLDER]')
  process.exitCode = 2
} else {
  const report = await writeReport(JSON.parse(readFileSync(saved, 'utf8')), folder)
  console.log(`written: ${relative(process.cwd(), report)}`)
}
