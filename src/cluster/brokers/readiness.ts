import type { Probe, ProbeAnswer } from '../probe.ts';

const READINESS = '/druid/broker/v1/readiness';
/** Exists since Druid 37. It turns 503 before a Broker stops; `readiness` stays 200. */
const STATUS_READY = '/status/ready';
/** Pause before asking a Broker without `/status/ready` for it again; the Broker may have been upgraded. */
const ASK_AGAIN_MS = 60_000;

/** Asks a Broker whether it is ready. */
export interface Readiness {
  /**
   * Never rejects. `why` reports the Broker's answer for people. `serves`: it has answered requests a moment ago, which
   * says as much as its `readiness`, so that is not asked.
   */
  ask(serves?: boolean): Promise<{ readonly ready: boolean; readonly why: string }>;
}

/** Creates the readiness check of the Broker at `origin`. `now` is in milliseconds. */
export function createReadiness(probe: Probe, origin: string, now: () => number): Readiness {
  let askStatusAt = 0;
  return {
    async ask(serves = false) {
      if (!serves) {
        const readiness = await probe(origin, READINESS);
        if (readiness.kind !== 'answer' || readiness.status !== 200) {
          return { ready: false, why: `readiness: ${said(readiness)}` };
        }
      }
      if (now() >= askStatusAt) {
        const status = await probe(origin, STATUS_READY);
        if (status.kind === 'answer' && [401, 403, 404].includes(status.status)) {
          askStatusAt = now() + ASK_AGAIN_MS;
        } else if (status.kind !== 'answer' || status.status !== 200) {
          return { ready: false, why: `status/ready: ${said(status)}` };
        }
      }
      return { ready: true, why: 'announced and ready' };
    },
  };
}

function said(answer: ProbeAnswer): string {
  if (answer.kind === 'answer') return `answered ${answer.status}`;
  return answer.kind === 'refused' ? (answer.why ?? 'connection refused') : 'no answer in time';
}
