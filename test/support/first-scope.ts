import type { ScopeRequest } from '../../src/systemd/scope-properties'

/** Whom the tests' systemd knows of, and the unit that it starts for it. */
export const PID = 4711
export const UNIT = 'vmcg-1.scope'
export const REQUEST: ScopeRequest = {
  unit: UNIT,
  slice: 'system.slice',
  pids: [PID],
  description: 'vmcg sandbox 1',
}
/** For what is to be given up. */
export const SHORT_MS = 300
