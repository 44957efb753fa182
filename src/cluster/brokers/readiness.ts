import type { Probe, ProbeAnswer } from '../probe.ts';

const READINESS = '/druid/broker/v1/readiness';
/** Since Druid 37; it turns 503 before a Broker stops, where `readiness` stays 200. */
const STATUS_READY = '/status/ready';
/** A Broker that does not have `/status/ready` is asked for it again this often, since it may be upgraded. */
const ASK_AGAIN_MS = 60_000;

/** Whether a Broker says that it is ready, and what it said. */
export interface Readiness {
  /** Never rejects. */
  ask(): Promise<{ readonly ready: boolean; readonly why: string }>;
}

/** `now` is in milliseconds. */
export function createReadiness(probe: Probe, origin: string, now: () => number): Readiness {
  let askStatusAt = 0;
  return {
    async ask() {
      const readiness = await probe(origin, READINESS);
      if (readiness.kind !== 'answer' || readiness.status !== 200) {
        return { ready: false, why: `readiness: ${said(readiness)}` };
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
