/** One peer under one workload, once. */
export interface Measurement {
  readonly round: number;
  readonly peer: string;
  readonly workload: string;
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly rssBytes: number;
  readonly errors: number;
}

/** Milliseconds from an election to the first answer, one for each election that was seen. */
export interface FailOver {
  readonly target: string;
  readonly ms: readonly number[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly wrk: string;
  /** Load average of the last minute just before the run: what else was going on. */
  readonly loadBefore: number;
}

export interface PeerNote {
  readonly name: string;
  readonly version: string;
  readonly about: string;
}

/** Everything that a run found out; this is what is written as JSON. */
export interface Results {
  readonly date: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly minutes: number;
  readonly machine: Machine;
  readonly peers: readonly PeerNote[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  readonly workloads: readonly { readonly name: string; readonly about: string }[];
  readonly measurements: readonly Measurement[];
  readonly failOver: readonly FailOver[];
}
