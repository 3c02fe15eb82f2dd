import { parseBusAddress, systemdAddresses } from '../../src/systemd/bus-address'

const bus = (socket: string) => ({ socket, isPeer: false })
const peer = (socket: string) => ({ socket, isPeer: true })

describe('where a systemd is reached', () => {
  test('root: on the system bus, and where there is none at PID 1 itself', () => {
    expect(systemdAddresses('system', {}, 0)).toEqual([
      bus('/run/dbus/system_bus_socket'),
      peer('/run/systemd/private'),
    ])
  })

  test('another user: on the system bus alone, since PID 1 lets only root in', () => {
    expect(systemdAddresses('system', {}, 1000)).toEqual([bus('/run/dbus/system_bus_socket')])
  })

  test('the systemd of a user: on its bus, and by itself', () => {
    expect(systemdAddresses('user', { XDG_RUNTIME_DIR: '/run/user/7' }, 7)).toEqual([
      bus('/run/user/7/bus'),
      peer('/run/user/7/systemd/private'),
    ])
  })

  test('the systemd of a user without a session: where it would be', () => {
    expect(systemdAddresses('user', {}, 7)[0]).toEqual(bus('/run/user/7/bus'))
  })

  test('the environment goes first', () => {
    const env = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/tmp/a', DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/tmp/b' }
    expect(systemdAddresses('user', env, 7)[0]).toEqual(bus('/tmp/a'))
    expect(systemdAddresses('system', env, 7)).toEqual([bus('/tmp/b')])
  })

  test('what the environment names is tried once', () => {
    const env = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/7/bus' }
    expect(systemdAddresses('user', env, 7)).toHaveLength(2)
  })

  test('an environment that names no unix socket is refused with what to set', () => {
    expect(() => systemdAddresses('system', { DBUS_SYSTEM_BUS_ADDRESS: 'tcp:host=a,port=1' }, 0)).toThrow(
      expect.objectContaining({
        code: 'ERR_VMCG_INVALID_ARGUMENT',
        value: 'tcp:host=a,port=1',
        hint: expect.stringMatching(/unset DBUS_SYSTEM_BUS_ADDRESS/),
      }),
    )
  })
})

test.each([
  ['unix:path=/a', ['/a']],
  ['unix:path=/a,guid=1f', ['/a']],
  ['unix:guid=1f,path=/a;unix:path=/b', ['/a', '/b']],
  ['unix:abstract=/tmp/dbus-x', ['\0/tmp/dbus-x']],
  ['unix:path=/with%20space%2cand%c3%a9', ['/with space,andé']],
  ['unix:path=/50%', ['/50%']],
  ['tcp:host=a,port=1;unix:path=/a', ['/a']],
  ['unix:tmpdir=/tmp', []],
  ['autolaunch:', []],
  ['', []],
])('the sockets of the address %p are %p', (address, sockets) => {
  expect(parseBusAddress(address)).toEqual(sockets)
})
