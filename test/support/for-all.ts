import * as fc from 'fast-check'

/** Checks that `claim` holds, which it says by not throwing, for random values; a counterexample is made small. */
export function forAll<T>(
  values: fc.Arbitrary<T>,
  claim: (value: T) => void,
  runs?: fc.Parameters<[T]>,
): void {
  const assertSync: (property: fc.IPropertyWithHooks<[T]>, runs?: fc.Parameters<[T]>) => void = fc.assert
  assertSync(fc.property(values, claim), runs)
}
