/** One peer under one workload, once. */
export interface Measurement {
  readonly round: number;
  readonly peer: string;
  readonly workload: string;
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of open loops. */
  readonly p999Us?: number;
  readonly rssBytes: number;
  readonly errors: number;
}

/** What an open loop sees of the responder itself, with nobody in between. */
export interface Floor {
  readonly round: number;
  readonly workload: string;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly errors: number;
}

/** What one peer held, once for each of its starts. */
export interface Memory {
  readonly peer: string;
  readonly starts: readonly MemoryOfStart[];
}

/** Resident bytes: all of them, and those that are not mapped from files (`RssAnon`). */
export interface Resident {
  readonly rssBytes: number;
  readonly anonBytes: number;
}

export interface MemoryOfStart {
  /** Ready, and nothing was asked of it. */
  readonly idle: Resident;
  /** The most that was seen under `sql`. */
  readonly loaded: Resident;
  /** What each further connection adds that has had one request and is kept. */
  readonly perConnection: Resident;
}

/** Milliseconds from exec to the first answer of a Broker, one for each start. */
export interface Start {
  readonly peer: string;
  readonly ms: readonly number[];
}

/** One way to a real Druid with so many clients, once. */
export interface DruidMeasurement {
  readonly round: number;
  readonly way: string;
  readonly clients: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
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

export interface WorkloadNote {
  readonly name: string;
  readonly about: string;
  /** Requests a second of an open loop. */
  readonly rate?: number;
  /** Of this gateway alone. */
  readonly by?: 'gateway';
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
  readonly workloads: readonly WorkloadNote[];
  readonly measurements: readonly Measurement[];
  readonly floor: readonly Floor[];
  readonly failOver: readonly FailOver[];
  readonly memory: readonly Memory[];
  readonly starts: readonly Start[];
  readonly druid: readonly DruidMeasurement[];
}
