import type { Metric, Registry } from 'prom-client';

/** Observations of one label set. */
export interface HistogramTally {
  readonly labels: Readonly<Record<string, string>>;
  /** Observations per bucket, not cumulative; the last bucket is for values above the largest bound. */
  readonly counts: number[];
  sum: number;
}

/** A histogram whose tallies are cheap to observe into (one addition); they are summed up when scraped. */
export interface TalliedHistogram {
  tally(labels: Readonly<Record<string, string>>): HistogramTally;
  observe(tally: HistogramTally, value: number): void;
}

export interface TalliedHistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
}

/** Registers the histogram. prom-client's own builds a key from the labels for every observation. */
export function createTalliedHistogram(
  registry: Registry,
  { name, help, labelNames, buckets }: TalliedHistogramOptions,
): TalliedHistogram {
  const tallies: HistogramTally[] = [];
  const metric = {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    labelNames,
    get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: values() }),
    reset() {},
  };
  registry.registerMetric(metric as unknown as Metric);

  function values(): object[] {
    return tallies.flatMap(({ labels, counts, sum }) => {
      let below = 0;
      const rows: object[] = [...buckets, '+Inf'].map((le, i) => {
        below += counts[i] ?? 0;
        return { labels: { le, ...labels }, value: below, metricName: `${name}_bucket`, exemplar: null };
      });
      rows.push({ labels, value: sum, metricName: `${name}_sum` });
      rows.push({ labels, value: below, metricName: `${name}_count` });
      return rows;
    });
  }

  return {
    tally(labels) {
      const tally: HistogramTally = { labels, counts: new Array<number>(buckets.length + 1).fill(0), sum: 0 };
      tallies.push(tally);
      return tally;
    },
    observe(tally, value) {
      let bucket = 0;
      while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket++;
      tally.counts[bucket] = (tally.counts[bucket] ?? 0) + 1;
      tally.sum += value;
    },
  };
}
