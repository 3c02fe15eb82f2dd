import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { processName } from '../../tools/setup/lock'
import { describeWith, SPINVM } from '../support/require'
import { hasLeftCpu, waitFor } from '../support/residents'
import { rounds } from '../support/scale'
import { type QmpWire, type SpinVm, startSpinVm } from '../support/spinvm'

const CORE = { driver: 'spinvm-cpu', 'socket-id': 0, 'thread-id': 0 }

/** Waits until the vCPU threads have used some CPU time since `before`: however busy the host is, they will. */
async function spins(vm: SpinVm, vcpu: RegExp): Promise<void> {
  const used = () => vm.threads().find(({ name }) => vcpu.test(name))?.ticks ?? 0
  const before = used()
  while (used() < before + 5) await sleep(20)
}

function names(vm: SpinVm): string[] {
  return vm
    .threads()
    .map(({ name }) => name)
    .sort()
}

describeWith(['spinvm'], 'the embedded VMM', () => {
  let vm: SpinVm
  let qmp: QmpWire

  async function start(...args: string[]): Promise<void> {
    vm = startSpinVm(args)
    qmp = await vm.connect()
    await qmp.next()
    await qmp.execute('qmp_capabilities')
  }

  afterEach(async () => {
    qmp.close()
    await vm.stop()
  })

  test('greets at once, and serves nothing before the negotiation', async () => {
    vm = startSpinVm(['--no-kvm'])
    qmp = await vm.connect()
    await expect(qmp.next()).resolves.toEqual({
      QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 }, package: 'vmcg-spinvm' }, capabilities: [] },
    })
    await expect(qmp.execute('query-status')).resolves.toEqual({
      error: { class: 'CommandNotFound', desc: "Expecting capabilities negotiation with 'qmp_capabilities'" },
    })
    await expect(qmp.execute('qmp_capabilities')).resolves.toEqual({ return: {} })
    await expect(qmp.execute('qmp_capabilities')).resolves.toMatchObject({
      error: { desc: 'Capabilities negotiation is already complete, command ignored' },
    })
  })

  test('has a thread for each vCPU and iothread, named as in QEMU, and tells their ids', async () => {
    await start('--no-kvm', '--smp', '2', '--iothread', 'iothread0', '--iothread', 'io-with-a-very-long-name')
    expect(names(vm)).toEqual(['CPU 0/TCG', 'CPU 1/TCG', 'IO io-with-a-ve', 'IO iothread0', 'vmcg-spinvm'])
    const tid = (name: string) => vm.threads().find((thread) => thread.name === name)?.tid
    await expect(qmp.execute('query-cpus-fast')).resolves.toMatchObject({
      return: [
        { 'cpu-index': 0, 'thread-id': tid('CPU 0/TCG'), props: { 'core-id': 0 } },
        { 'cpu-index': 1, 'thread-id': tid('CPU 1/TCG'), props: { 'core-id': 1 } },
      ],
    })
    await expect(qmp.execute('query-iothreads')).resolves.toMatchObject({
      return: [
        { id: 'iothread0', 'thread-id': tid('IO iothread0') },
        { id: 'io-with-a-very-long-name', 'thread-id': tid('IO io-with-a-ve') },
      ],
    })
    await expect(qmp.execute('query-kvm')).resolves.toEqual({ return: { enabled: false, present: true } })
  })

  test('keeps its vCPUs busy, and its iothreads only when asked', async () => {
    await start('--no-kvm', '--smp', '2', '--iothread', 'iothread0')
    const ticksOfIo = () => vm.threads().find(({ name }) => name.startsWith('IO'))?.ticks
    await spins(vm, /^CPU 0/)
    // Its beginning may have taken a tick.
    const atFirst = ticksOfIo()
    await spins(vm, /^CPU 1/)
    await spins(vm, /^CPU 0/)
    expect(ticksOfIo()).toBe(atFirst)
    qmp.close()
    await vm.stop()
    await start('--no-kvm', '--iothread', 'iothread0', '--busy-iothread')
    await spins(vm, /^IO iothread0/)
  })

  test('plugs a vCPU in: its thread exists when the answer comes', async () => {
    await start('--no-kvm', '--smp', '1,maxcpus=3')
    const plug = { ...CORE, id: 'cpu2', 'core-id': 2 }
    await expect(qmp.execute('device_add', plug)).resolves.toEqual({ return: {} })
    expect(names(vm)).toContain('CPU 2/TCG')
    await spins(vm, /^CPU 2/)
    await expect(qmp.execute('query-hotpluggable-cpus')).resolves.toMatchObject({
      return: [
        { props: { 'core-id': 2 }, 'qom-path': '/machine/peripheral/cpu2', type: 'spinvm-cpu' },
        { props: { 'core-id': 1 } },
        { props: { 'core-id': 0 }, 'qom-path': '/machine/unattached/device[0]' },
      ],
    })
  })

  test.each([
    [{ ...CORE, id: 'cpu1', 'core-id': 2 }, "Duplicate device ID 'cpu1'"],
    [{ ...CORE, id: 'again', 'core-id': 1 }, 'CPU[1] with APIC ID 1 exists'],
    [{ ...CORE, id: 'far', 'core-id': 9 }, 'Invalid CPU core-id: 9 must be in range 0:2'],
    [{ driver: 'spinvm-cpu', 'core-id': 2 }, 'CPU socket-id is not set'],
    [{ driver: 'e1000' }, "'e1000' is not a valid device model name"],
    [{ ...CORE, id: '1st', 'core-id': 2 }, "Parameter 'id' expects an identifier"],
    [{ ...CORE, 'core-id': '2' }, "Parameter 'core-id' expects integer"],
    [{ ...CORE, 'core-id': 2, colour: 1 }, "Property 'spinvm-cpu.colour' not found"],
    [{}, "Parameter 'driver' is missing"],
  ])("refuses to plug %j in QEMU's words", async (args, desc) => {
    await start('--no-kvm', '--smp', '1,maxcpus=3')
    await qmp.execute('device_add', { ...CORE, id: 'cpu1', 'core-id': 1 })
    await expect(qmp.execute('device_add', args)).resolves.toEqual({ error: { class: 'GenericError', desc } })
  })

  test('stop keeps the vCPUs from running until cont, and both are told once', async () => {
    await start('--no-kvm', '--smp', '2')
    await expect(qmp.execute('stop')).resolves.toEqual({ return: {} })
    const vcpus = () => vm.threads().filter(({ name }) => name.startsWith('CPU'))
    await waitFor('the vCPUs to leave their CPUs', () => vcpus().every(({ tid }) => hasLeftCpu(tid)))
    const stopped = vcpus()
    await expect(qmp.execute('query-status')).resolves.toMatchObject({
      return: { status: 'paused', running: false },
    })
    await sleep(100)
    expect(vcpus()).toEqual(stopped)
    await qmp.execute('stop')
    await qmp.execute('cont')
    await qmp.execute('cont')
    await spins(vm, /^CPU 1/)
    expect(qmp.events.map(({ event }) => event)).toEqual(['STOP', 'RESUME'])
  })

  test('-S waits for cont before any vCPU runs', async () => {
    await start('--no-kvm', '-S')
    await expect(qmp.execute('query-status')).resolves.toMatchObject({
      return: { status: 'prelaunch', running: false },
    })
    await qmp.execute('device_add', { ...CORE, 'core-id': 0 })
    const ticks = () => vm.threads().find(({ name }) => name === 'CPU 0/TCG')?.ticks
    const before = ticks()
    await sleep(100)
    expect(ticks()).toBe(before)
    await qmp.execute('cont')
    await spins(vm, /^CPU 0/)
  })

  test('says which command it does not know, and which argument', async () => {
    await start('--no-kvm')
    await expect(qmp.execute('query-cpus')).resolves.toEqual({
      error: { class: 'CommandNotFound', desc: 'The command query-cpus has not been found' },
    })
    await expect(qmp.execute('query-name', { x: 1 })).resolves.toMatchObject({
      error: { desc: "Parameter 'x' is unexpected" },
    })
    await expect(qmp.execute('query-name')).resolves.toEqual({ return: {} })
    await expect(qmp.execute('query-version')).resolves.toMatchObject({ return: { qemu: { major: 7 } } })
  })

  test('echoes any id exactly', async () => {
    await start('--no-kvm')
    const id = '{"a": [1.50, null, 18446744073709551615, "\\u00e9\\ud83d\\ude00\\n"]}'
    qmp.send(`{"execute":"query-name","id":${id}}`)
    await expect(qmp.next()).resolves.toEqual({ id: JSON.parse(id), return: {} })
  })

  test('reads several objects in one write, and one object in several', async () => {
    await start('--no-kvm')
    qmp.send('{"execute":"query-name","id":1}{"execute":"query-name","id":2}{"execute":"query-')
    await expect(qmp.next()).resolves.toMatchObject({ id: 1 })
    await expect(qmp.next()).resolves.toMatchObject({ id: 2 })
    qmp.send('name","id":"}{"}')
    await expect(qmp.next()).resolves.toMatchObject({ id: '}{' })
  })

  test.each([
    ['a word', 'garbage\n', /invalid keyword 'garbage'/],
    ['a missing value', '{"execute":}', /expecting value/],
    ['a missing comma', '{"a":1 "b":2}', /expected separator in dict/],
    ['a repeated key', '{"id":1,"id":2}', /duplicate key/],
    ['a lone surrogate', '{"id":"\\ud800"}', /lone surrogate/],
    ['a number with a leading zero', '{"id":01}', /invalid number/],
    ['deep nesting', `${'['.repeat(100)}${']'.repeat(100)}`, /too deep/],
    ['a message without end', `"${'x'.repeat(70_000)}`, /unterminated string/],
    ['a list', '[]', /must be a JSON object/],
    ['an unknown member', '{"execute":"stop","now":true}', /'now' is unexpected/],
  ])('answers %s with an error without id, and goes on', async (_, text, desc) => {
    await start('--no-kvm')
    qmp.send(`${text}\n`)
    await expect(qmp.next()).resolves.toEqual({
      error: { class: 'GenericError', desc: expect.stringMatching(desc) },
    })
    // A byte 0xFF gets rid of a broken message, as in QEMU.
    qmp.send(Buffer.from('{"broken\xff{"execute":"query-name","id":"after"}', 'latin1'))
    let answer = await qmp.next()
    while (!('id' in answer)) answer = await qmp.next()
    expect(answer).toEqual({ id: 'after', return: {} })
  })

  test('lets the second client wait until the first one leaves', async () => {
    await start('--no-kvm')
    const second = await vm.connect()
    let greeted = false
    const greeting = second.next().then((message) => {
      greeted = true
      return message
    })
    await qmp.execute('query-name')
    expect(greeted).toBe(false)
    qmp.close()
    await expect(greeting).resolves.toHaveProperty('QMP')
    second.close()
  })

  test('quit tells SHUTDOWN, answers, ends and removes its socket', async () => {
    await start('--no-kvm', '--smp', '2')
    const exited = once(vm.child, 'exit')
    await expect(qmp.execute('quit')).resolves.toEqual({ return: {} })
    expect(qmp.events).toMatchObject([{ event: 'SHUTDOWN', data: { guest: false, reason: 'host-qmp-quit' } }])
    await expect(exited).resolves.toEqual([0, null])
    expect(existsSync(vm.socket)).toBe(false)
  })

  test('SIGTERM tells SHUTDOWN and ends it cleanly', async () => {
    await start('--no-kvm')
    const exited = once(vm.child, 'exit')
    vm.child.kill('SIGTERM')
    await expect(qmp.next()).resolves.toMatchObject({ event: 'SHUTDOWN', data: { reason: 'host-signal' } })
    await expect(exited).resolves.toEqual([0, null])
    expect(existsSync(vm.socket)).toBe(false)
  })
})

describeWith(['spinvm', 'kvm'], 'the embedded VMM on KVM', () => {
  test('runs guest code on its vCPUs, stops it, goes on, and plugs in another', async () => {
    const vm = startSpinVm(['--smp', '2,maxcpus=3'])
    const qmp = await vm.connect()
    try {
      await qmp.next()
      await qmp.execute('qmp_capabilities')
      await expect(qmp.execute('query-kvm')).resolves.toEqual({ return: { enabled: true, present: true } })
      await spins(vm, /^CPU 1\/KVM/)
      for (let round = 0; round < rounds(50); round++) {
        await qmp.execute('stop')
        await qmp.execute('cont')
      }
      await spins(vm, /^CPU 0\/KVM/)
      await qmp.execute('device_add', { ...CORE, id: 'cpu2', 'core-id': 2 })
      await spins(vm, /^CPU 2\/KVM/)
    } finally {
      qmp.close()
      await vm.stop()
    }
  })
})

describeWith(['spinvm'], "the embedded VMM's command line", () => {
  test('--die-with-parent ends it with the process that started it', async () => {
    const command = '"$0" --no-kvm --die-with-parent $$ >&- 2>&- & echo $!'
    const shell = spawnSync('sh', ['-c', command, SPINVM])
    const pid = Number(shell.stdout)
    expect(pid).toBeGreaterThan(1)
    while (processName(pid) !== undefined) await sleep(20)
  })

  test('--die-with-parent refuses to start for a process that is not its parent, or no longer', () => {
    const { status, stderr } = spawnSync(SPINVM, ['--no-kvm', '--die-with-parent', String(process.ppid)], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('the parent has ended') })
  })

  test.each([
    [['--die-with-parent', '0'], /--die-with-parent takes a process id, not 0/],
    [['--die-with-parent'], /--die-with-parent needs a value/],
    [['--smp', '0'], /--smp takes N/],
    [['--smp', '4,maxcpus=2'], /--smp takes N/],
    [['--qmp'], /--qmp needs a value/],
    [['--colour'], /unknown option --colour/],
    [['--qmp', `/tmp/${'x'.repeat(120)}`], /too long/],
    [['--no-kvm', '--qmp', '/nonexistent/qmp.sock'], /No such file or directory/],
  ])('refuses %j', (args, reason) => {
    const { status, stderr } = spawnSync(SPINVM, args, { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(reason) })
  })

  test('--help describes every option', () => {
    const { status, stdout } = spawnSync(SPINVM, ['--help'], { encoding: 'utf8' })
    expect(status).toBe(0)
    for (const option of [
      '--smp',
      '--iothread',
      '--busy-iothread',
      '--qmp',
      '-S',
      '--no-kvm',
      '--die-with-parent',
    ]) {
      expect(stdout).toContain(option)
    }
  })
})
