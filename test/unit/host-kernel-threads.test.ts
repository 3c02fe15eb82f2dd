import { givesKernelThreads } from '../../src/host/kernel-threads'

it.each([
  ['5.10.0-28-amd64', true],
  ['6.1.0-18-amd64', true],
  ['6.3.13', true],
  ['6.4.0-rc1', false],
  ['6.18.44', false],
  ['7.0.1', false],
])('a VMM can get more threads of the kernel on Linux %s: %s', (kernel, expected) => {
  expect(givesKernelThreads(kernel)).toBe(expected)
})
