import type { ClusterView } from '../../cluster/view.ts';
import type { ChoiceLimits } from '../target.ts';
import type { SelectedService } from './tier-selector.ts';

/** The service of one request, and what becomes of it while nobody of that service is there. */
export class TierSelection {
  readonly selected: SelectedService;
  /** Nobody of the service was there when last looked, so that the default service has it, as with the Router. */
  fellBack = false;

  constructor(placement: SelectedService) {
    this.selected = placement;
  }

  /** Whom to choose from by this view. */
  among(view: ClusterView, { defaultService, maxPerNode }: ChoiceLimits): ChoiceLimits {
    const { service } = this.selected;
    const pool = view.pools.get(service);
    this.fellBack = service !== defaultService && (pool === undefined || pool.length === 0);
    return { defaultService: this.fellBack ? defaultService : service, maxPerNode };
  }

  /** The services that may have a JDBC connection: the one that a rule chose, or all while nobody of it is there. */
  connectionsAmong(view: ClusterView, services: ReadonlySet<string>): ReadonlySet<string> {
    const { service } = this.selected;
    this.fellBack = !view.brokers.some((broker) => broker.service === service && broker.ready);
    return this.fellBack ? services : new Set([service]);
  }
}
