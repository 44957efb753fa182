import type { ClusterView } from '../../cluster/view.ts';

/**
 * A request with this header, whatever its value, gets the view that its answer was decided on in the same header, if
 * the client may see it.
 */
export const VIEW_HEADER = 'X-Druid-Gateway-View';

/** The view in one line, without addresses. `now` is in epoch milliseconds. */
export function describeView(view: ClusterView, now: number): string {
  const { coordinator, overlord } = view.leaders;
  const ready = view.brokers.reduce((count, broker) => count + (broker.ready ? 1 : 0), 0);
  const age = view.readAt === 0 ? 'never' : (Math.max(0, now - view.readAt) / 1000).toFixed(3);
  return [
    `version=${view.version}`,
    `discovery=${view.discovery.state}`,
    `age=${age}`,
    `coordinator=${coordinator.state}/${coordinator.knownBy}`,
    `overlord=${overlord.state}/${overlord.knownBy}`,
    `brokers=${ready}`,
  ].join(', ');
}
