import { info, type Judgement, pass, skip, warn } from '../check.ts';
import { type StoreUrl, StoreUrlError, splitStoreUrl } from './store-url.ts';

/** Values of `targetServerType` that end at a primary; `master` is the name of old drivers. */
const PRIMARIES: readonly string[] = ['primary', 'master'];
const ANY = 'any';

/**
 * Judges whether connections of a JDBC driver get to the new primary after a fail-over, by the URL alone. It says
 * nothing of one host, since an address that follows the primary looks the same.
 */
export function judgeFailOverUrl(uri: string): Judgement {
  const url = readUrl(uri);
  if (url === null) return skip('the URL that masters have cannot be read');
  if (url.scheme.includes('aws-wrapper') || url.scheme.includes('aurora')) {
    return pass('the driver that masters have follows the primary of Amazon Aurora and RDS');
  }
  if (url.hosts.length < 2)
    return skip('masters name one host; whether it follows the primary is ha.metadata');
  if (url.scheme.includes('postgresql')) return judgePostgresql(url);
  return url.scheme.includes('mariadb') ? judgeMariaDb(url) : judgeMysql(url);
}

function readUrl(uri: string): StoreUrl | null {
  try {
    return splitStoreUrl(uri);
  } catch (error) {
    if (error instanceof StoreUrlError) return null;
    throw error;
  }
}

/** pgJDBC, "Connection Fail-over": hosts are tried in order, and the first that answers is taken, whatever it is. */
function judgePostgresql({ options, hosts }: StoreUrl): Judgement {
  const wanted = (options.get('targetservertype') ?? ANY).toLowerCase();
  if (PRIMARIES.includes(wanted)) return pass(`${hosts.length} hosts, of which the driver takes the primary`);
  return warn(
    wanted === ANY
      ? `${hosts.length} hosts without targetServerType=primary: the driver may take a standby, which takes no writes`
      : `${hosts.length} hosts with a targetServerType other than primary: the driver may take a standby, which takes no writes`,
  );
}

/** MySQL Connector/J, "Multi-Host Connections". */
function judgeMysql({ scheme, options, hosts }: StoreUrl): Judgement {
  const many = `${hosts.length} hosts`;
  if (scheme.includes('replication')) {
    return info(
      `${many} with jdbc:mysql:replication: writes go to the first one only, whatever is the primary`,
    );
  }
  if (scheme.includes('loadbalance')) {
    return info(`${many} with jdbc:mysql:loadbalance: right only where each of them takes writes`);
  }
  return options.get('failoverreadonly') === 'false'
    ? pass(`${many}, tried in order`)
    : warn(
        `${many} without failOverReadOnly=false: a connection to another than the first one may not write`,
      );
}

/** MariaDB Connector/J, "Failover and High availability". */
function judgeMariaDb({ scheme, hosts }: StoreUrl): Judgement {
  const many = `${hosts.length} hosts`;
  if (scheme.includes('loadbalance')) {
    return info(`${many} with jdbc:mariadb:loadbalance: right only where each of them takes writes`);
  }
  if (scheme.includes('replication')) {
    return info(
      `${many} with jdbc:mariadb:replication: writes go to the first one only, whatever is the primary`,
    );
  }
  return scheme.includes('sequential') || scheme.includes('failover')
    ? pass(`${many}, tried in order`)
    : warn(
        `${many} without a mode such as jdbc:mariadb:sequential: a connection that breaks is not made elsewhere`,
      );
}
