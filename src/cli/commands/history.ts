import { type CliCommand, OK } from '../command.ts';

export const history: CliCommand = {
  name: 'history',
  summary: 'Show who led, from when, how long, and what waited for it',
  takesConfiguration: false,
  asksGateway: true,
  examples: [
    { line: 'druid-gateway history', what: 'a line for each term of leadership, the newest last' },
    { line: 'druid-gateway history --json', what: 'as GET /history answers' },
  ],
  declare(declaration) {
    declaration.option('--json', 'print the answer as it is');
  },
  async run(given) {
    const [{ adminAddress }, { askAdmin }, { standardScreen }, { plainJson }] = await Promise.all([
      import('../admin/address.ts'),
      import('../admin/client.ts'),
      import('../output/screen.ts'),
      import('../output/plain-text.ts'),
    ]);
    const address = await adminAddress(given, process.env);
    const { body } = await askAdmin(address, { method: 'GET', path: '/history' });
    const screen = standardScreen();
    if (given.options.json === true) screen.print(plainJson(body));
    else {
      const { renderHistory } = await import('../render/history.ts');
      screen.print(renderHistory(body, screen, Date.now()));
    }
    return OK;
  },
};
