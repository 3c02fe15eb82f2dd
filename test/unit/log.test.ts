import { defaultLogger } from '../../src/log'

describe('the logger for those who pass none', () => {
  it.each([undefined, '', 'silent'])('is silent when VMCG_LOG is %j', (level) => {
    expect(() => defaultLogger(level).error({}, 'nobody reads this')).not.toThrow()
  })

  it.each(['debug', 'info', 'warn', 'error'])('is one of pino at the level %s', (level) => {
    expect(defaultLogger(level)).toMatchObject({ level })
  })

  it.each(['1', 'true', 'DEBUG', 'verbose'])(
    'is refused for VMCG_LOG=%s, and the error names the levels',
    (level) => {
      expect(() => defaultLogger(level)).toThrow(
        expect.objectContaining({
          code: 'ERR_VMCG_INVALID_ARGUMENT',
          message: `VMCG_LOG is "${level}", which is no log level`,
          hint: expect.stringContaining('debug, info, warn, error'),
        }),
      )
    },
  )
})
