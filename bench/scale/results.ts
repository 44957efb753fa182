/** What all gateways and all servers used and moved in one step. */
export interface Step {
  readonly seconds: number;
  /** User and system time, in microseconds. */
  readonly serverCpuUs: number;
  readonly clientCpuUs: number;
  /** Packets that the servers took from all clients, and sent to them. */
  readonly received: number;
  readonly sent: number;
  /** Bytes from ZooKeeper to the gateways, and back. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly snapshots: number;
}

/** One change of the leading Coordinator. */
export interface LeaderChange extends Step {
  /** Milliseconds from the change to each gateway's knowing it. */
  readonly median: number;
  readonly p99: number;
  readonly last: number;
}

/** A time of announcements at a rate. */
export interface Churn extends Step {
  readonly perSecond: number;
  readonly changes: number;
  /** Milliseconds until the last gateway knew a Broker that came under this rate. */
  readonly lag: number;
}

/** So many gateways and Brokers on so many servers. */
export interface Point {
  readonly servers: number;
  readonly gateways: number;
  readonly brokers: number;
  /** From the start of the gateways that were added until all knew everything. */
  readonly start: Step & { readonly added: number };
  readonly idle: Step;
  readonly leader: readonly LeaderChange[];
  readonly churn: readonly Churn[];
  readonly watches: number;
  /** Sessions that were lost or suspended meanwhile. */
  readonly disconnects: number;
  readonly heapBytes: number;
  readonly serverRssBytes: number;
  readonly clientRssBytes: number;
}

/** Leader changes of one point by the greatest random delay of the read after an event; 0 without one. */
export interface Spread {
  readonly spreadMs: number;
  readonly gateways: number;
  readonly leader: readonly LeaderChange[];
}

/** A page of the admin listener. */
export interface Page {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds to the last byte, median of several. */
  readonly ms: number;
}

/** One gateway as it is shipped, in front of so many Brokers that all answer. */
export interface OneGateway {
  readonly brokers: number;
  /** Milliseconds from the start until 99 % of the Brokers are ready. */
  readonly startMs: number;
  readonly rssBytes: number;
  /** Shares of one core. */
  readonly idleCpu: number;
  readonly churn: readonly OneGatewayChurn[];
  /** Longest delays of the event loop in ms by its own metric: until then, and around a scrape. */
  readonly startTurnMs: number;
  readonly scrapeTurnMs: number;
  readonly pages: readonly Page[];
}

export interface OneGatewayChurn {
  readonly perSecond: number;
  readonly cpu: number;
  readonly rssBytes: number;
  readonly turnMs: number;
}

export interface ScaleResults {
  readonly date: string;
  readonly minutes: number;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly kernel: string;
    readonly node: string;
    readonly loadBefore: number;
  };
  /** Bytes of a Broker's name and of its data in ZooKeeper. */
  readonly nameBytes: number;
  readonly dataBytes: number;
  readonly points: readonly Point[];
  readonly spreads: readonly Spread[];
  readonly one: readonly OneGateway[];
}
