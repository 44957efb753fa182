/** A selector in a query: a metric and the labels that its matchers name. */
export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

const SELECTOR = /\b(up|(?:druid_gateway|process|nodejs)_\w+|[a-z_]+:[\w:]+)(?:\s*\{([^}]*)\})?/g;

/** Finds the selectors of a query of ours: metrics of the gateway, of its process, recorded ones, and `up`. */
export function selectorsOf(expr: string): Selector[] {
  const bare = expr.replace(/"[^"]*"/g, '""');
  return Array.from(bare.matchAll(SELECTOR), ([, metric = '', matchers = '']) => ({
    metric,
    labels: Array.from(matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g), ([, label = '']) => label),
  }));
}

/** Labels that a query sums, groups or matches by. */
export function groupedBy(expr: string): string[] {
  return Array.from(
    expr.matchAll(/\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)/g),
  ).flatMap(([, list = '']) => list.split(',').map((label) => label.trim()));
}

/** Labels that a text of a template shows: `{{role}}`, `{{ $labels.role }}`. */
export function shownLabels(text: string): string[] {
  return [
    ...Array.from(text.matchAll(/\{\{(\w+)\}\}/g), ([, label = '']) => label),
    ...Array.from(text.matchAll(/\$labels\.(\w+)/g), ([, label = '']) => label),
  ];
}

/** Says what a query names that is not exported, one sentence each. */
export function problemsOf(
  expr: string,
  shown: readonly string[],
  exported: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const selectors = selectorsOf(expr);
  if (selectors.length === 0) return [`no metric in: ${expr}`];
  const unknown = selectors.filter(({ metric }) => !exported.has(metric));
  if (unknown.length > 0) return unknown.map(({ metric }) => `there is no ${metric}`);
  const any = new Set(selectors.flatMap(({ metric }) => [...(exported.get(metric) ?? [])]));
  return [
    ...selectors.flatMap(({ metric, labels }) =>
      labels.filter((label) => !exported.get(metric)?.has(label)).map((label) => `${metric} has no ${label}`),
    ),
    ...[...groupedBy(expr), ...shown]
      .filter((label) => !any.has(label))
      .map((label) => `nothing has ${label}`),
  ];
}
