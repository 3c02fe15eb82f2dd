'use strict'

// `npm run lint` holds the sources to their formatters, linters and types, and the core to its independence of Node.
// A tool that this host lacks is named with its package; with VMCG_REQUIRE=1 that is a failure.

const { checks } = require('./check/linters')

async function main() {
  let failed = 0
  for (const { name, check } of checks) {
    const problems = await check()
    if (problems === '') console.log(`ok: ${name}`)
    else {
      failed++
      console.log(`${problems.trimEnd()}\nfailed: ${name}`)
    }
  }
  process.exitCode = failed > 0 ? 1 : 0
}

void main()
