import type { StoreTarget } from '../../doctor/store/store-target.ts';
import { type CliCommand, FAILED, type Given, OK, type SourceArguments, UsageError } from '../command.ts';

/** Time in ms for sockets to close before the process ends. */
const LINGER_MS = 500;
/** Has the password of the metadata store where no file does. */
const PASSWORD_VARIABLE = 'DRUID_GATEWAY_METADATA_PASSWORD';
/** Longest time to watch, in ms. */
const LONGEST_WATCH_MS = 3_600_000;

export const doctor: CliCommand = {
  name: 'doctor',
  summary: 'Examine ZooKeeper, Druid and a running gateway from here: what is wrong, and what to do',
  takesConfiguration: true,
  examples: [
    {
      line: 'druid-gateway doctor --zookeeper zk-1:2181,zk-2:2181,zk-3:2181',
      what: 'ends with 1 where a check fails; docs/doctor.md lists the checks',
    },
    {
      line: 'druid-gateway doctor --json --strict --skip ha.metadata,gw --config gateway.yaml',
      what: 'for scripts: a warning counts, too',
    },
    {
      line: 'druid-gateway doctor --watch 60s --druid-user admin --druid-password-file admin.txt',
      what: 'with what Druid guards, and with a minute of watching who leads',
    },
    {
      line: 'druid-gateway doctor --metadata-url postgresql://druid@db-1,db-2/druid --metadata-password-file db.txt',
      what: 'asks the servers of the metadata store, too; the form jdbc:postgresql://... of Druid will do',
    },
  ],
  declare(declaration) {
    declaration
      .option('--json', 'print the report as JSON')
      .option('--junit <FILE>', 'write the report as XML of JUnit, too')
      .option('--strict', 'end with 1 where a check warns')
      .option('--skip <ID,...>', 'leave out checks or groups, such as ha.metadata,gw')
      .option('--watch <DURATION>', 'watch the leaders for so long, such as 60s')
      .option('--druid-user <NAME>', 'the user for what Druid guards')
      .option('--druid-password-file <FILE>', "a file with that user's password")
      .option(
        '--metadata-url <URL>',
        'the metadata store: postgresql:, mysql:, mariadb: or jdbc:, with all its hosts',
      )
      .option('--metadata-user <NAME>', 'its user, instead of that in the URL')
      .option('--metadata-password-file <FILE>', `a file with the password; else ${PASSWORD_VARIABLE}`);
  },
  run: examineHere,
};

async function examineHere({ sources, options }: Given): Promise<number> {
  const [{ loadConfig }, { createDiagnose }, { createAdminSource }, { createInternalErrors }, reports] =
    await Promise.all([
      import('../../config/load.ts'),
      import('../../gateway/diagnose.ts'),
      import('../../gateway/admin-source.ts'),
      import('../../faults/internal-errors.ts'),
      loadReports(),
    ]);
  const { origin, rest } = await splitAdmin(sources);
  const [skipped, watchMs, headers, store] = await Promise.all([
    skippedBy(options.skip),
    watchBy(options.watch),
    credentialsBy(options),
    storeBy(options, process.env),
  ]);
  const config = loadConfig({ ...rest, environment: process.env });
  const diagnose = usable(() => createDiagnose(config));
  const report = await diagnose({
    errors: createInternalErrors({ error: (fields, what) => complain(what, fields) }),
    gateway: usable(() => createAdminSource(config, origin)),
    headers,
    watchMs,
    store,
    skipped,
  });
  const { reportJson, reportText, reportJunit, hasFailed } = reports;
  if (options.junit !== undefined) await writeReport(String(options.junit), reportJunit(report));
  await written(options.json === true ? reportJson(report) : reportText(report));
  // The system may go on looking for names that nobody knows, and nothing ends that.
  setTimeout(() => process.exit(), LINGER_MS).unref();
  return hasFailed(report, options.strict === true) ? FAILED : OK;
}

async function loadReports() {
  const [{ reportJson }, { reportText }, { reportJunit }, { hasFailed }] = await Promise.all([
    import('../../doctor/report-json.ts'),
    import('../../doctor/report-text.ts'),
    import('../../doctor/report-junit.ts'),
    import('../../doctor/examine.ts'),
  ]);
  return { reportJson, reportText, reportJunit, hasFailed };
}

/** `--admin` is a flag of the configuration, `HOST:PORT`; here it may also be the URL of a gateway elsewhere. */
async function splitAdmin(
  sources: SourceArguments,
): Promise<{ origin: string | null; rest: SourceArguments }> {
  const { admin, ...flags } = sources.flags;
  if (admin === undefined || !/^https?:/i.test(admin)) return { origin: null, rest: sources };
  const { parseOrigin } = await import('../../net/origin.ts');
  const origin = parseOrigin(admin);
  if (origin === null) throw new UsageError(`--admin: ${admin} is no URL such as http://127.0.0.1:9888`);
  return { origin, rest: { ...sources, flags } };
}

async function skippedBy(given: unknown): Promise<ReadonlySet<string>> {
  if (given === undefined) return new Set();
  const { idsOf } = await import('../../doctor/checks.ts');
  const words = String(given)
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const ids = words.flatMap((word) => {
    const found = idsOf(word);
    if (found.length === 0)
      throw new UsageError(`--skip: there is no check ${word}; docs/doctor.md lists them`);
    return found;
  });
  return new Set(ids);
}

async function watchBy(given: unknown): Promise<number> {
  if (given === undefined) return 0;
  const { parseDuration } = await import('../../config/units.ts');
  const ms = parseDuration(String(given));
  if (ms === null || ms < 1 || ms > LONGEST_WATCH_MS) {
    throw new UsageError(`--watch: ${given} is no duration such as 60s, of an hour at most`);
  }
  return ms;
}

/** Returns the header of basic authentication, or none. */
async function credentialsBy({
  druidUser,
  druidPasswordFile,
}: Given['options']): Promise<Record<string, string>> {
  if (druidUser === undefined && druidPasswordFile === undefined) return {};
  if (druidUser === undefined || druidPasswordFile === undefined) {
    throw new UsageError('--druid-user and --druid-password-file go together');
  }
  if (String(druidUser).includes(':')) throw new UsageError('--druid-user: a user has no colon');
  const pair = `${druidUser}:${await passwordIn(String(druidPasswordFile), '--druid-password-file')}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

async function passwordIn(file: string, flag: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const { codeOf } = await import('../../config/yaml-source.ts');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${flag}: ${file} cannot be read (${codeOf(error)})`);
  });
  return text.replace(/\r?\n$/, '');
}

/** Returns the metadata store to ask; null without `--metadata-url`. */
async function storeBy(
  { metadataUrl, metadataUser, metadataPasswordFile }: Given['options'],
  environment: NodeJS.ProcessEnv,
): Promise<StoreTarget | null> {
  if (metadataUrl === undefined) {
    const alone = metadataUser === undefined ? metadataPasswordFile : metadataUser;
    if (alone === undefined) return null;
    throw new UsageError('--metadata-user and --metadata-password-file go with --metadata-url');
  }
  const [{ storeTarget }, { StoreUrlError }, { missingDriver }] = await Promise.all([
    import('../../doctor/store/store-target.ts'),
    import('../../doctor/store/store-url.ts'),
    import('../../doctor/store/ask-store.ts'),
  ]);
  const password =
    metadataPasswordFile === undefined
      ? undefined
      : await passwordIn(String(metadataPasswordFile), '--metadata-password-file');
  try {
    const target = storeTarget(String(metadataUrl), {
      user: metadataUser === undefined ? undefined : String(metadataUser),
      password,
      fallbackPassword: environment[PASSWORD_VARIABLE],
    });
    const missing = missingDriver(target.kind);
    if (missing === null) return target;
    throw new UsageError(
      `--metadata-url: needs the package ${missing}: npm install ${missing}, where druid-gateway is`,
    );
  } catch (error) {
    // Its message has no word of the URL, which may hold the password.
    throw error instanceof StoreUrlError ? new UsageError(`--metadata-url: ${error.message}`) : error;
  }
}

/** Resolves when the text is out, or nobody reads it any more. */
function written(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once('error', () => resolve());
    process.stdout.write(text, () => resolve());
  });
}

async function writeReport(file: string, text: string): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  const { codeOf } = await import('../../config/yaml-source.ts');
  await writeFile(file, text).catch((error: unknown) => {
    throw new UsageError(`--junit: ${file} cannot be written (${codeOf(error)})`);
  });
}

/** A file of the configuration that cannot be used is a mistake of the caller's. */
function usable<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function complain(what: string, fields: object): void {
  const { error = '' } = fields as { readonly error?: string };
  process.stderr.write(`druid-gateway: ${what}: ${error}\n`);
}
