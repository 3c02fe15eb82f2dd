import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(__dirname, '..', '..')

test.each(['README.md', 'docs/cgroup-manager.md', 'docs/many-sandboxes.md'])(
  'the example in %s compiles against the public API',
  (page) => {
    const [, example] = /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, page), 'utf8')) ?? []
    expect(example).toContain("from 'vmcg'")
    const directory = mkdtempSync(join(ROOT, 'build', 'readme-'))
    try {
      writeFileSync(join(directory, 'example.mts'), example ?? '')
      writeFileSync(
        join(directory, 'tsconfig.json'),
        JSON.stringify({
          extends: '../../tsconfig.json',
          compilerOptions: {
            noEmit: true,
            rootDir: '../..',
            typeRoots: ['../../node_modules/@types'],
            paths: { vmcg: ['../../src/index.ts'] },
          },
          include: ['example.mts'],
        }),
      )
      const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
      const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', directory], { encoding: 'utf8' })
      expect(stdout).toBe('')
      expect(status).toBe(0)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)
