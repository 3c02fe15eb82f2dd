// The pid to each hierarchy, and each vCPU's tid to its leaf, one file at a time.

import { writeFileSync } from 'node:fs'
import { serve } from '../serve.mjs'

await serve((folders, [pid = '', ...tids]) => ({
  run: () => {
    for (const folder of folders) {
      writeFileSync(`${folder}/cgroup.procs`, pid)
      for (const tid of tids) writeFileSync(`${folder}/vcpu/tasks`, tid)
    }
  },
}))
