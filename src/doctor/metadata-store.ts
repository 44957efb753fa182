/** What can be told of a metadata store without its secrets. */
export interface MetadataStore {
  readonly type: string;
  /** The URL as far as it holds no secret: driver, hosts and database. Null where that cannot be read of it. */
  readonly shown: string | null;
  readonly hosts: readonly string[];
  /** Whether the driver's name or options say that it chooses among servers. */
  readonly failsOver: boolean;
}

const URL_PARTS = /^jdbc:([A-Za-z\d:+-]{1,60}?):\/\/([^/?;]{0,500})(?:\/([\w.-]{0,100}))?(.*)$/s;
/** Names and options of drivers that know several servers: MySQL Connector/J, MariaDB, AWS, PostgreSQL. */
const FAILS_OVER = /loadbalance|replication|sequential|failover|aurora|aws-wrapper|\+srv|targetServerType/i;
/** Ports that may be left out. */
const USUAL_PORT = /^(mysql|mariadb).*:3306$|^postgresql.*:5432$/;
/** What Druid takes without the property (`MetadataStorageProvider`, `DerbyMetadataStorageDruidModule`). */
const DEFAULT_TYPE = 'derby';

/**
 * Describes a store by `druid.metadata.storage.type` and `.connector.connectURI`. Users, passwords and options of the
 * URL are dropped, since each can hold a secret.
 */
export function describeStore(type: string | undefined, uri: string | undefined): MetadataStore {
  const [, driver = '', authority = '', database = '', rest = ''] = URL_PARTS.exec(uri ?? '') ?? [];
  const hosts = authority
    .split(',')
    .map((host) => host.slice(host.lastIndexOf('@') + 1).trim())
    .filter((host) => /^[\w.:[\]-]{1,255}$/.test(host))
    .map((host) => (USUAL_PORT.test(`${driver}//${host}`) ? host.replace(/:\d+$/, '') : host));
  const shown = hosts.length === 0 ? null : `jdbc:${driver}://${hosts.join(',')}/${database}`;
  return {
    type: type ?? DEFAULT_TYPE,
    shown,
    hosts,
    failsOver: FAILS_OVER.test(driver) || FAILS_OVER.test(rest),
  };
}
