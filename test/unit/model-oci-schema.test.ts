import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { validateSpec } from '../../src/model/generated/validate-spec'

const root = join(__dirname, '..', '..')

function problem(spec: unknown): string {
  if (validateSpec(spec)) return 'none'
  const { instancePath, message } = validateSpec.errors?.[0] ?? {}
  return `${instancePath} ${message}`
}

const resources = (members: object) => ({ linux: { resources: members } })

it('the generated files are what the schema gives', () => {
  execFileSync(process.execPath, [join(root, 'tools', 'generate-oci.mjs'), '--check'], { stdio: 'pipe' })
})

it('the generated validator needs no other module', () => {
  const code = readFileSync(join(root, 'src', 'model', 'generated', 'validate-spec.js'), 'utf8')
  expect(/\brequire\s*\(/.test(code)).toBe(false)
})

it('takes the examples of the OCI specification', () => {
  const spec = {
    ociVersion: '1.2.0',
    process: { args: ['sh'] },
    linux: {
      cgroupsPath: '/myRuntime/myContainer',
      namespaces: [{ type: 'pid' }],
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
          { allow: true, type: 'b', major: 8, minor: 0, access: 'r' },
        ],
        memory: {
          limit: 536870912,
          reservation: 536870912,
          swap: 536870912,
          kernel: -1,
          kernelTCP: -1,
          swappiness: 0,
          disableOOMKiller: false,
          useHierarchy: true,
          checkBeforeUpdate: true,
        },
        cpu: {
          shares: 1024,
          quota: 1000000,
          burst: 1000000,
          period: 500000,
          realtimeRuntime: 950000,
          realtimePeriod: 1000000,
          cpus: '2-3',
          mems: '0-7',
          idle: 0,
        },
        blockIO: {
          weight: 10,
          leafWeight: 10,
          weightDevice: [
            { major: 8, minor: 0, weight: 500, leafWeight: 300 },
            { major: 8, minor: 16, weight: 500 },
          ],
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
          throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 300 }],
        },
        hugepageLimits: [
          { pageSize: '2MB', limit: 209715200 },
          { pageSize: '64KB', limit: 1000000 },
        ],
        network: { classID: 1048577, priorities: [{ name: 'eth0', priority: 500 }] },
        pids: { limit: 32771 },
        rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 }, rxe3: { hcaObjects: 10000 } },
        unified: { 'io.max': '259:0 rbps=2097152 wiops=120', 'hugetlb.1GB.max': '1073741824' },
      },
    },
  }
  expect(problem(spec)).toBe('none')
})

it.each([{}, { linux: {} }, resources({}), resources({ cpu: {} }), resources({ somethingNew: 1 })])(
  'takes %j',
  (spec) => {
    expect(problem(spec)).toBe('none')
  },
)

it.each([
  [null, ' must be object'],
  [[], ' must be object'],
  [{ linux: null }, '/linux must be object'],
  [{ linux: { cgroupsPath: 1 } }, '/linux/cgroupsPath must be string'],
  [resources({ cpu: { quota: '20000' } }), '/linux/resources/cpu/quota must be integer'],
  [resources({ cpu: { quota: 0.5 } }), '/linux/resources/cpu/quota must be integer'],
  [resources({ cpu: { quota: 2 ** 53 } }), '/linux/resources/cpu/quota must be <= 9007199254740991'],
  [resources({ cpu: { quota: -(2 ** 53) } }), '/linux/resources/cpu/quota must be >= -9007199254740991'],
  [resources({ cpu: { period: -1 } }), '/linux/resources/cpu/period must be >= 0'],
  [resources({ cpu: { shares: -1 } }), '/linux/resources/cpu/shares must be >= 0'],
  [resources({ cpu: { cpus: 3 } }), '/linux/resources/cpu/cpus must be string'],
  [resources({ memory: { swappiness: 101 } }), '/linux/resources/memory/swappiness must be <= 100'],
  [resources({ pids: {} }), "/linux/resources/pids must have required property 'limit'"],
  [resources({ devices: [{ type: 'c' }] }), "/linux/resources/devices/0 must have required property 'allow'"],
  [
    resources({ devices: [{ allow: true, access: 'rx' }] }),
    '/linux/resources/devices/0/access must match pattern "^[rwm]+$"',
  ],
  [
    resources({ devices: [{ allow: true, type: 'p' }] }),
    '/linux/resources/devices/0/type must be equal to one of the allowed values',
  ],
  [resources({ blockIO: { weight: 65536 } }), '/linux/resources/blockIO/weight must be <= 65535'],
  [
    resources({ hugepageLimits: [{ pageSize: '2mb', limit: 1 }] }),
    '/linux/resources/hugepageLimits/0/pageSize must match pattern "^[1-9][0-9]*[KMG]B$"',
  ],
  [
    resources({ hugepageLimits: [{ pageSize: '../2MB', limit: 1 }] }),
    '/linux/resources/hugepageLimits/0/pageSize must match pattern "^[1-9][0-9]*[KMG]B$"',
  ],
  [resources({ network: { classID: 2 ** 32 } }), '/linux/resources/network/classID must be <= 4294967295'],
  [resources({ rdma: { mlx5_1: 3 } }), '/linux/resources/rdma/mlx5_1 must be object'],
  [resources({ unified: { 'cpu.max': 1 } }), '/linux/resources/unified/cpu.max must be string'],
])('refuses %j', (spec, expected) => {
  expect(problem(spec)).toBe(expected)
})
