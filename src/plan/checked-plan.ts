import { badArgument, isObject } from '../model/argument'

/**
 * Refuses what `plan()` cannot have given, also by way of JSON. Whether a plan still fits is another question.
 *
 * @throws `ERR_VMCG_INVALID_ARGUMENT` for what is no plan.
 */
export function checkPlan(plan: unknown): void {
  if (!isPlan(plan)) throw badArgument('a plan', 'what plan() resolved with', plan)
}

function isPlan(plan: unknown): boolean {
  const member = (name: string): unknown => Reflect.get(Object(plan), name)
  const stages = member('stages')
  return (
    typeof member('sandbox') === 'string' &&
    isObject(member('mounts')) &&
    Array.isArray(member('warnings')) &&
    Array.isArray(stages) &&
    stages.every((stage: unknown) => Array.isArray(Reflect.get(Object(stage), 'operations')))
  )
}
