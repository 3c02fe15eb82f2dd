/** What a QMP server sends, told apart. Keys that are not named here are ignored, as the QMP specification asks. */
export type QmpMessage =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'event'; readonly event: string; readonly data: QmpObject }
  | { readonly kind: 'return'; readonly id: unknown; readonly value: unknown }
  /** An error that QEMU met before it had read the `id` comes without one. */
  | { readonly kind: 'error'; readonly id: unknown; readonly class: string; readonly desc: string }
  | { readonly kind: 'unknown' }

export type QmpObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is QmpObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Tells what a message is, by the keys that QMP gives each kind.
 * Source: QEMU docs/interop/qmp-spec, "General Definitions".
 */
export function readMessage(message: object): QmpMessage {
  if (!isObject(message)) return { kind: 'unknown' }
  if (isObject(message['QMP'])) return { kind: 'greeting' }
  if (typeof message['event'] === 'string') {
    return { kind: 'event', event: message['event'], data: isObject(message['data']) ? message['data'] : {} }
  }
  if ('return' in message) return { kind: 'return', id: message['id'], value: message['return'] }
  const error = message['error']
  if (isObject(error)) {
    return { kind: 'error', id: message['id'], class: text(error['class']), desc: text(error['desc']) }
  }
  return { kind: 'unknown' }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : 'not told'
}
