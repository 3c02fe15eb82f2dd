import { mergeResources } from 'vmcg'
import { serve } from '../serve.mjs'

await serve((_, [count]) => {
  const containers = Array.from({ length: Number(count) }, (_unused, number) => ({
    id: `c${number}`,
    spec: {
      linux: {
        resources: {
          cpu: { shares: 512 + number, quota: 10_000 + number, period: 100_000, cpus: '0-1' },
          memory: { limit: 2 ** 20 * (number + 1) },
          pids: { limit: 100 },
        },
      },
    },
  }))
  return {
    run: () => {
      mergeResources(containers, { memoryOverheadBytes: 2 ** 27 })
    },
  }
})
