import { ensureZooKeeperJars } from '../../../tools/druid-cluster/artifacts.ts';

/** Before the first file, so that two of them do not fetch the same. */
export async function setup(): Promise<void> {
  await ensureZooKeeperJars((line) => void process.stderr.write(`${line}\n`));
}
