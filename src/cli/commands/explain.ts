import { readFileSync } from 'node:fs';
import { type CliCommand, OK, UsageError } from '../command.ts';

export const explain: CliCommand = {
  name: 'explain',
  summary: 'Say what would become of a request now; nothing is sent to Druid',
  takesConfiguration: false,
  asksGateway: true,
  examples: [
    {
      line: 'druid-gateway explain GET /druid/coordinator/v1/servers',
      what: 'which node would get it, and why',
    },
    {
      line: 'druid-gateway explain POST /druid/v2/sql --data @query.json --header Content-Type:application/json',
      what: 'which tier and Broker a query goes to',
    },
    {
      line: 'druid-gateway explain GET /druid/v2/datasources --client 10.1.2.3 --json',
      what: 'for a client at this address, for a script',
    },
  ],
  declare(declaration) {
    declaration
      .argument('<METHOD>', 'GET, POST, ...')
      .argument('<PATH>', 'path and query')
      .option('--data <BODY>', 'the body, or the file that holds it: @FILE')
      .option('--header <NAME:VALUE>', 'a header; may be given several times', collect)
      .option('--client <ADDRESS>', 'the IP address of the client; else that of who asks')
      .option('--json', 'print the answer as it is');
  },
  async run(given) {
    const [method = '', path = ''] = given.args;
    const { data, header = [], client, json } = given.options;
    const question = {
      method: method.toUpperCase(),
      path,
      headers: headersOf(header as readonly string[]),
      ...(typeof data === 'string' ? { bodyBase64: bodyOf(data).toString('base64') } : {}),
      ...(typeof client === 'string' ? { client } : {}),
    };
    const [{ adminAddress }, { askAdmin }, { standardScreen }, { plainJson }] = await Promise.all([
      import('../admin/address.ts'),
      import('../admin/client.ts'),
      import('../output/screen.ts'),
      import('../output/plain-text.ts'),
    ]);
    const address = await adminAddress(given, process.env);
    const { body } = await askAdmin(address, { method: 'POST', path: '/explain', body: question });
    const screen = standardScreen();
    if (json === true) screen.print(plainJson(body));
    else {
      const { renderExplanation } = await import('../render/explanation.ts');
      screen.print(renderExplanation(body, screen));
    }
    return OK;
  },
};

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Groups the values of headers that are given several times. */
function headersOf(given: readonly string[]): Record<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const header of given) {
    const colon = header.indexOf(':');
    if (colon < 1) throw new UsageError('--header: expected NAME:VALUE');
    const name = header.slice(0, colon).trim();
    headers.set(name, [...(headers.get(name) ?? []), header.slice(colon + 1).trim()]);
  }
  return Object.fromEntries(headers);
}

function bodyOf(data: string): Buffer {
  if (!data.startsWith('@')) return Buffer.from(data);
  const file = data.slice(1);
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(
      `--data: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
    );
  }
}
