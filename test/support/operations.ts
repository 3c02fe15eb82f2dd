import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { OperationOutcome } from '../../src/engine/execute'

export type PublishedOperation = OperationOutcome & { readonly sandbox: string }

/** Runs `act` and returns every operation that vmcg carried out meanwhile, as its diagnostics channel tells. */
export async function operationsDuring(act: () => Promise<unknown>): Promise<readonly PublishedOperation[]> {
  const published: PublishedOperation[] = []
  await onOperation((operation) => published.push(operation), act)
  return published
}

/** Runs `act`, and `hook` after each operation of it, before the next stage of the plan begins. */
export async function onOperation<T>(
  hook: (operation: PublishedOperation) => void,
  act: () => Promise<T>,
): Promise<T> {
  const listener = (message: unknown) => hook(message as PublishedOperation)
  subscribe('vmcg:operation', listener)
  try {
    return await act()
  } finally {
    unsubscribe('vmcg:operation', listener)
  }
}
