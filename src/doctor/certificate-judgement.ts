import { fail, info, type Judgement, pass, skip, warn } from './check.ts';
import type { CertificateFacts } from './facts.ts';
import { listed } from './printable.ts';

export interface NamedCertificate {
  readonly name: string;
  readonly certificate: CertificateFacts | null;
}

const DAY_MS = 86_400_000;
/** From here on an end should be on somebody's list. */
const EARLY_DAYS = 30;

/** Judges trust, names and ends of certificates together. `now` is in epoch milliseconds. */
export function certificateJudgement(certificates: readonly NamedCertificate[], now: number): Judgement {
  const problems = certificates.filter(({ certificate }) => (certificate?.problem ?? null) !== null);
  if (problems.length > 0) {
    return fail(listed(problems.map(({ name, certificate }) => `${name}: ${certificate?.problem}`)));
  }
  return certificateEnds(certificates, now);
}

/** Judges when certificates end. `now` is in epoch milliseconds. */
export function certificateEnds(certificates: readonly NamedCertificate[], now: number): Judgement {
  const ends = certificates
    .map(({ name, certificate }) => ({ name, validTo: certificate?.validTo ?? null }))
    .filter((one): one is { name: string; validTo: number } => one.validTo !== null);
  if (ends.length === 0) {
    const silent = certificates.map(({ name }) => name);
    return silent.length === 0
      ? skip('nobody uses TLS')
      : info(`no certificate was seen of ${listed(silent)}`);
  }
  const days = ({ validTo }: { validTo: number }): number => Math.floor((validTo - now) / DAY_MS);
  const soonest = ends.toSorted((a, b) => a.validTo - b.validTo);
  const said = listed(soonest.map((one) => `${one.name} ${days(one)} days`));
  const [first] = soonest;
  if (first === undefined) return skip('nobody uses TLS');
  if (first.validTo <= now) return fail(`ended: ${said}`);
  return days(first) < EARLY_DAYS ? warn(`ends soon: ${said}`) : pass(said);
}
