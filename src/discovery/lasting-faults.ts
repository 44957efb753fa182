/** Faults that are found anew at each reading; each is told once for as long as it lasts. */
export interface LastingFaults {
  /** Takes all faults of one reading of `what`. */
  found(what: string, faults: ReadonlySet<string>): void;
}

/** `tell` is called with each fault that was not found at the last reading of the same. */
export function createLastingFaults(tell: (fault: string) => void): LastingFaults {
  const told = new Map<string, ReadonlySet<string>>();
  return {
    found(what, faults) {
      const before = told.get(what);
      told.set(what, faults);
      for (const fault of faults) if (before?.has(fault) !== true) tell(fault);
    },
  };
}
