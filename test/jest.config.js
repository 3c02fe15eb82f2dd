'use strict'

const { patience } = require('./support/scale.js')

/** @type {import('jest').Config} */
module.exports = {
  rootDir: require('node:path').join(__dirname, '..'),
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/build'],
  transform: {
    '^.+\\.ts$': [
      require.resolve('@swc/jest'),
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  testEnvironment: 'node',
  // For hosts that are busy with other things: no test waits that long by itself.
  testTimeout: patience(60_000),
  reporters: ['default', require.resolve('./support/skip-reporter.js')],
}
