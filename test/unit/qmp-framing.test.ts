import fc from 'fast-check'
import { MAX_MESSAGE_BYTES, QmpFramer } from '../../src/hypervisor/qmp-framing'

function framed(chunks: Iterable<Buffer | string>): object[] {
  const framer = new QmpFramer('/run/vm.sock')
  const messages: object[] = []
  for (const chunk of chunks) messages.push(...framer.push(Buffer.from(chunk)))
  return messages
}

/** The same bytes in chunks of one length. */
function inChunks(bytes: Buffer, length: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) =>
    bytes.subarray(n * length, (n + 1) * length),
  )
}

describe('framing of a QMP stream', () => {
  test('gives each object of a chunk that holds several', () => {
    expect(framed(['{"return": {}, "id": 1}\r\n{"event": "STOP"}\r\n'])).toEqual([
      { return: {}, id: 1 },
      { event: 'STOP' },
    ])
  })

  test('keeps an object that is spread over many lines, as with pretty=on', () => {
    expect(framed(['{\r\n    "return": {\r\n    },\r\n    "id": 1\r\n}\r\n'])).toEqual([
      { return: {}, id: 1 },
    ])
  })

  test.each([
    ['braces', '}{"{'],
    ['quotes and backslashes', '\\"\\\\" \\'],
    ['characters of two, three and four bytes', 'µ 日本 🖥'],
  ])('is not misled by %s in a string, wherever the stream is cut', (_, text) => {
    const bytes = Buffer.from(`${JSON.stringify({ return: { [text]: text } })}\r\n`)
    for (let length = 1; length <= bytes.length; length++) {
      expect(framed(inChunks(bytes, length))).toEqual([{ return: { [text]: text } }])
    }
  })

  test('gives back any objects, however they are printed and cut', () => {
    const objects = fc.array(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })),
    )
    fc.assert(
      fc.property(
        objects,
        fc.constantFrom(0, 4),
        fc.integer({ min: 1, max: 50 }),
        (messages, indent, length) => {
          const text = messages.map((message) => `${JSON.stringify(message, undefined, indent)}\r\n`).join('')
          // By way of the text: JSON has no -0, which fast-check likes to make.
          const expected = messages.map((message) => JSON.parse(JSON.stringify(message)))
          expect(framed(inChunks(Buffer.from(text), length))).toEqual(expected)
        },
      ),
    )
  })

  test('looks at each byte once: a message of 15 MiB in small chunks takes no minutes', () => {
    const text = 'x'.repeat(15 * 1024 * 1024)
    const [message] = framed(inChunks(Buffer.from(JSON.stringify({ return: text })), 512))
    expect(message).toEqual({ return: text })
  })

  test('says so when a message grows beyond 16 MiB, whether or not it ends', () => {
    const tooLong = {
      code: 'ERR_VMCG_QMP_PROTOCOL',
      message: expect.stringContaining('above 16777216 bytes'),
    }
    const endless = Buffer.from(`{"return": "${'x'.repeat(MAX_MESSAGE_BYTES)}`)
    expect(() => framed(inChunks(endless, 65536))).toThrow(expect.objectContaining(tooLong))
    expect(() => framed([`${endless}"}`])).toThrow(expect.objectContaining(tooLong))
  })

  test.each([
    ['HTTP/1.1 400 Bad Request\r\n', '"HTTP/1.1 400 Bad Request\\r\\n"'],
    ['QEMU 7.2.22 monitor - type "help"', '"QEMU 7.2.22 monitor - type \\"help\\""'],
    ['[1]', '"[1]"'],
    ['\xff', '"Ã¿"'],
    [`${'z'.repeat(100)}`, `"${'z'.repeat(64)}"...`],
    ['{"return": nil}', '"{\\"return\\": nil}"'],
  ])('quotes the beginning of what is no JSON object: %j', (sent, quoted) => {
    expect(() => framed([sent])).toThrow(
      expect.objectContaining({
        name: 'QmpError',
        code: 'ERR_VMCG_QMP_PROTOCOL',
        path: '/run/vm.sock',
        message: expect.stringContaining(quoted),
      }),
    )
  })

  test('gives the objects before the garbage that follows them', () => {
    const messages = new QmpFramer('/run/vm.sock').push(Buffer.from('{"id": 1} garbage'))
    expect(messages.next().value).toEqual({ id: 1 })
    expect(() => messages.next()).toThrow('garbage')
  })
})
