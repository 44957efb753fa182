import type { ClusterView } from '../../cluster/view.ts';
import type { ChoiceLimits } from '../target.ts';
import type { SelectedService } from './tier-selector.ts';

/** The service chosen for one request, and its fallback while that service has no Broker. */
export class TierSelection {
  readonly selected: SelectedService;
  /**
   * True if the service had no ready Broker when last checked. The default service then gets the request, as with
   * the Router.
   */
  fellBack = false;

  constructor(placement: SelectedService) {
    this.selected = placement;
  }

  /** Returns the service to choose a Broker from, by this view. */
  among(view: ClusterView, { defaultService, maxPerNode }: ChoiceLimits): ChoiceLimits {
    const { service } = this.selected;
    const pool = view.pools.get(service);
    this.fellBack = service !== defaultService && (pool === undefined || pool.length === 0);
    return { defaultService: this.fellBack ? defaultService : service, maxPerNode };
  }

  /**
   * Returns the services that may get a JDBC connection: the one a rule chose, or all while it has no ready Broker.
   */
  connectionsAmong(view: ClusterView, services: ReadonlySet<string>): ReadonlySet<string> {
    const { service } = this.selected;
    this.fellBack = !view.brokers.some((broker) => broker.service === service && broker.ready);
    return this.fellBack ? services : new Set([service]);
  }
}
