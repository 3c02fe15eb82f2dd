// What `npm start` runs: a VM with four busy vCPUs, two containers that ask for half a CPU together, and vmcg, which
// holds the one to what the others ask for. Everything that is made is undone, however this ends: see run.mjs.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatPlan, Sandbox } from 'vmcg'
import { PARENT, removeParent } from './cgroup-parent.mjs'
import { chooseVmm } from './choose-vmm.mjs'
import { container, describeContainer } from './containers.mjs'
import { measureCpu } from './cpu-time.mjs'
import { sayHost } from './host.mjs'
import { plugVcpu } from './hot-plug.mjs'
import { measureLimit, sayWhetherHeld, vcpuSum } from './limit.mjs'
import { hasColor, heading, percent, say, sayRemoved } from './output.mjs'
import { checkRights } from './rights.mjs'
import { run } from './run.mjs'
import { cgroupOf, threadsTable } from './threads-table.mjs'
import { Vm } from './vm.mjs'

/** @import { QemuHypervisor } from 'vmcg' */
/** @import { Cleanup } from './cleanup.mjs' */

await run(async (signal, cleanup) => {
  const dir = mkdtempSync(join(tmpdir(), 'vmcg-demo-'))
  cleanup.add(dir, () => rmSync(dir, { recursive: true, force: true }))

  sayHost()
  const sandbox = await makeSandbox(join(dir, 'state'), signal, cleanup)
  const { vm, hypervisor } = await startVm(dir, signal, cleanup)
  try {
    await sandbox.attach(hypervisor, { signal })
    await showLimit(sandbox, vm.pid, signal)
    await showChanges(sandbox, hypervisor, signal)
    await showEnd(sandbox, signal)
  } catch (error) {
    throw (await vm.obituary(signal)) ?? error
  }
})

/**
 * Makes no cgroup yet, but throws on a host that cannot be served, before anything is started.
 *
 * @param {string} stateDir
 * @param {AbortSignal} signal
 * @param {Cleanup} cleanup
 */
async function makeSandbox(stateDir, signal, cleanup) {
  const sandbox = await Sandbox.create({ id: 'vm', parent: PARENT, stateDir, signal })
  cleanup.add(`the cgroup ${PARENT}`, removeParent)
  cleanup.add('the sandbox', async () => {
    const { removed } = await sandbox.destroy()
    await sandbox.close()
    sayRemoved(removed)
  })
  checkRights()
  return sandbox
}

/**
 * @param {string} dir
 * @param {AbortSignal} signal
 * @param {Cleanup} cleanup
 */
async function startVm(dir, signal, cleanup) {
  const socket = join(dir, 'qmp.sock')
  const vmm = chooseVmm(dir, socket)
  heading('1. Start a VM with 4 busy vCPUs and an iothread')
  say(`${vmm.name},\nbecause ${vmm.why}`)
  const vm = new Vm(vmm, dir)
  cleanup.add(`process ${vm.pid}`, async () => {
    if (await vm.stop()) say(`ended process ${vm.pid}, the VMM`)
  })
  const hypervisor = await vm.connect(socket, signal)
  const { vcpus, iothreads } = await hypervisor.threads({ signal })
  say(`process ${vm.pid}; over QMP it names its ${vcpus.size} vCPU threads and ${iothreads.size} iothread`)
  return { vm, hypervisor }
}

/**
 * @param {Sandbox} sandbox
 * @param {number} pid
 * @param {AbortSignal} signal
 */
async function showLimit(sandbox, pid, signal) {
  const before = await measureCpu(pid, signal)

  heading('2. Make a sandbox with two containers')
  setContainer(sandbox, 'web', 30_000)
  setContainer(sandbox, 'db', 20_000)

  heading('3. Apply the plan')
  await applyPlan(sandbox, signal)
  const measured = await measureLimit(sandbox, pid, signal)
  const threads = await sandbox.threads({ signal })
  say(`\n${threadsTable(threads, before, measured.usage)}`)
  say(`\nvCPUs before:  ${percent(vcpuSum(threads, before))} of a CPU together, no limit`)
  sayWhetherHeld(measured)
}

/**
 * @param {Sandbox} sandbox
 * @param {QemuHypervisor} hypervisor
 * @param {AbortSignal} signal
 */
async function showChanges(sandbox, hypervisor, signal) {
  heading('4. Plug in a vCPU, and raise a limit')
  const tid = await plugVcpu(hypervisor, signal)
  say(`the new vCPU's thread ${tid} is born in ${await whereIs(sandbox, tid, signal)}`)
  await sandbox.refresh({ signal })
  say(`after refresh() it is in ${await whereIs(sandbox, tid, signal)}`)

  setContainer(sandbox, 'web', 70_000)
  await applyPlan(sandbox, signal)
  sayWhetherHeld(await measureLimit(sandbox, hypervisor.pid(), signal))
}

/**
 * @param {Sandbox} sandbox
 * @param {AbortSignal} signal
 */
async function showEnd(sandbox, signal) {
  heading('5. Destroy everything')
  const { moved, removed, unlimited } = await sandbox.destroy({ signal })
  const places = new Set(moved.flatMap(({ to }) => to))
  say(`gave ${moved.length} threads back, ${unlimited.length} of them free of a limit, to`)
  for (const place of places) say(`> ${place}`)
  sayRemoved(removed)
}

/**
 * @param {Sandbox} sandbox
 * @param {string} id
 * @param {number} quota
 */
function setContainer(sandbox, id, quota) {
  sandbox.setContainer(container(id, quota))
  say(describeContainer(id, quota))
}

/**
 * @param {Sandbox} sandbox
 * @param {AbortSignal} signal
 */
async function applyPlan(sandbox, signal) {
  const plan = await sandbox.plan({ signal })
  say(formatPlan(plan, { color: hasColor }))
  await sandbox.apply({ plan, signal })
}

/**
 * @param {Sandbox} sandbox
 * @param {number} tid
 * @param {AbortSignal} signal
 */
async function whereIs(sandbox, tid, signal) {
  const threads = await sandbox.threads({ signal })
  const thread = threads.find((candidate) => candidate.tid === tid)
  return thread === undefined ? 'nowhere: it has ended' : cgroupOf(thread)
}
