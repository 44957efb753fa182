import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { runMaven } from './toolchain.ts';

/** Tells people what goes on, one line at a time. */
export type Report = (line: string) => void;

const DRUID_VERSION = '33.0.0';
/** The newest of which Maven Central has basic security and multi-stage queries whole, and which runs on PostgreSQL. */
const EXTENDED_DRUID_VERSION = '27.0.0';
/** The only one that Maven Central has; it links with 27.0.0, and not with 33.0.0. */
const POSTGRESQL_EXTENSION_VERSION = '29.0.0';
/** The driver that the extension was built with. */
const POSTGRESQL_DRIVER_VERSION = '42.7.2';
/** The newest console that Maven Central has as a jar. */
const CONSOLE_VERSION = '24.0.1';
const ZOOKEEPER_VERSION = '3.9.4';
const AVATICA_VERSION = '1.26.0';

interface Dependency {
  /** `group:artifact:version`. */
  readonly id: string;
  /** `group:artifact`, `*` allowed. */
  readonly without?: readonly string[];
}

/** Sigar is in no public repository; nothing but an optional monitor uses it. */
const SIGAR = 'org.hyperic:sigar';
const CONSOLE: Dependency = { id: `org.apache.druid:druid-console:${CONSOLE_VERSION}`, without: ['*:*'] };

const DRUID: readonly Dependency[] = [
  { id: `org.apache.druid:druid-services:${DRUID_VERSION}`, without: [SIGAR] },
  CONSOLE,
];
const EXTENDED_DRUID: readonly Dependency[] = [
  { id: `org.apache.druid:druid-services:${EXTENDED_DRUID_VERSION}`, without: [SIGAR] },
  { id: `org.apache.druid.extensions:druid-basic-security:${EXTENDED_DRUID_VERSION}`, without: [SIGAR] },
  { id: `org.apache.druid.extensions:druid-multi-stage-query:${EXTENDED_DRUID_VERSION}`, without: [SIGAR] },
  {
    id: `org.apache.druid.extensions:postgresql-metadata-storage:${POSTGRESQL_EXTENSION_VERSION}`,
    without: ['*:*'],
  },
  { id: `org.postgresql:postgresql:${POSTGRESQL_DRIVER_VERSION}`, without: ['*:*'] },
  CONSOLE,
];
/** Only classes are loaded of it, and 27.0.0 of it is not to be had. */
const EXTENDED_DRUID_PINS: readonly Dependency[] = [{ id: 'org.apache.druid:druid-indexing-hadoop:28.0.0' }];
/** Druid's own jars hold a ZooKeeper server, too, but not all that its TLS needs. */
const ZOOKEEPER: readonly Dependency[] = [
  { id: `org.apache.zookeeper:zookeeper:${ZOOKEEPER_VERSION}` },
  { id: 'io.dropwizard.metrics:metrics-core:4.1.12.1' },
  { id: 'org.xerial.snappy:snappy-java:1.1.10.5' },
];

const AVATICA: readonly Dependency[] = [{ id: `org.apache.calcite.avatica:avatica:${AVATICA_VERSION}` }];

/** Java class path of all Druid roles and of Derby, fetched on first use (about 185 MB). */
export function ensureDruidJars(report?: Report): Promise<string> {
  return ensureJars(`druid-${DRUID_VERSION}`, DRUID, report);
}

/**
 * Java class path of all Druid roles with basic security, multi-stage queries and PostgreSQL for metadata, fetched on
 * first use (132 MB). What is not configured of these is not used.
 */
export function ensureExtendedDruidJars(report?: Report): Promise<string> {
  return ensureJars(`druid-${EXTENDED_DRUID_VERSION}`, EXTENDED_DRUID, report, EXTENDED_DRUID_PINS);
}

/** Java class path of the JDBC driver, fetched on first use. */
export function ensureAvaticaJars(report?: Report): Promise<string> {
  return ensureJars(`avatica-${AVATICA_VERSION}`, AVATICA, report);
}

/** Java class path of a ZooKeeper server, fetched on first use (about 13 MB). */
export function ensureZooKeeperJars(report?: Report): Promise<string> {
  return ensureJars(`zookeeper-${ZOOKEEPER_VERSION}`, ZOOKEEPER, report);
}

async function ensureJars(
  name: string,
  dependencies: readonly Dependency[],
  report: Report = () => {},
  pins: readonly Dependency[] = [],
): Promise<string> {
  const pom = pomOf(dependencies, pins);
  // What is wanted is part of the name, so that a changed list is fetched anew.
  const digest = createHash('sha256').update(pom).digest('hex').slice(0, 8);
  const folder = join(cacheFolder(), `${name}-${digest}`);
  if (!(await exists(folder))) await fetchJars(name, pom, folder, report);
  return join(folder, '*');
}

async function fetchJars(name: string, pom: string, folder: string, report: Report): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  const partial = await mkdtemp(`${folder}.partial-`);
  report(`fetching ${name} from Maven Central into ${folder} (once)`);
  const progress = setInterval(() => void describe(partial).then((text) => report(`  ${text}`)), 5_000);
  try {
    const pomFile = join(partial, 'pom.xml');
    await writeFile(pomFile, pom);
    await runMaven([
      '-f',
      pomFile,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${join(partial, 'jars')}`,
    ]);
    // Another process may have been faster.
    if (!(await exists(folder))) await rename(join(partial, 'jars'), folder);
    report(`  ${await describe(folder)}`);
  } finally {
    clearInterval(progress);
    await rm(partial, { recursive: true, force: true });
  }
}

async function describe(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const jars = entries.filter((entry) => entry.name.endsWith('.jar'));
  if (jars.length === 0) return 'resolving and downloading ...';
  const sizes = await Promise.all(jars.map((jar) => sizeOf(join(jar.parentPath, jar.name))));
  const megabytes = sizes.reduce((sum, size) => sum + size, 0) / 1_000_000;
  return `${jars.length} jars, ${megabytes.toFixed(0)} MB`;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    return 0;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

function pomOf(dependencies: readonly Dependency[], pins: readonly Dependency[]): string {
  const managed = pins.length === 0 ? '' : `${managementOf(pins)}\n`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>druid-gateway</groupId><artifactId>demo</artifactId><version>1</version><packaging>pom</packaging>
  <repositories>
    <!-- A parent names a repository of this id that is no more; an empty local one takes its place. -->
    <repository><id>sigar</id><url>file:///nonexistent</url></repository>
  </repositories>
${managed}  <dependencies>
${dependencies.map(dependencyOf).join('\n')}
  </dependencies>
</project>
`;
}

/** The versions of what others depend on. */
function managementOf(pins: readonly Dependency[]): string {
  return `  <dependencyManagement><dependencies>
${pins.map(dependencyOf).join('\n')}
  </dependencies></dependencyManagement>`;
}

function dependencyOf({ id, without = [] }: Dependency): string {
  const [group, artifact, version] = id.split(':');
  const exclusions = without.map((pattern) => {
    const [excludedGroup, excludedArtifact] = pattern.split(':');
    return `<exclusion><groupId>${excludedGroup}</groupId><artifactId>${excludedArtifact}</artifactId></exclusion>`;
  });
  return `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>
      <exclusions>${exclusions.join('')}</exclusions></dependency>`;
}
