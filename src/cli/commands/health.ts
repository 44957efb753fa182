import { type CliCommand, FAILED, OK } from '../command.ts';

export const health: CliCommand = {
  name: 'health',
  summary: 'Ask a running gateway whether it lives, for health checks of containers',
  takesConfiguration: false,
  asksGateway: true,
  examples: [
    { line: 'druid-gateway health', what: 'ends with 0 if it lives, else with 1 and why on standard error' },
    { line: 'druid-gateway health --ready --config gateway.yaml', what: 'whether it takes requests' },
  ],
  declare(declaration) {
    declaration.option('--ready', 'ask whether it is ready for requests, not whether it lives');
  },
  async run(given) {
    const [{ adminAddress }, { askAdmin }] = await Promise.all([
      import('../admin/address.ts'),
      import('../admin/client.ts'),
    ]);
    const address = await adminAddress(given, process.env, true);
    const path = given.options.ready === true ? '/health/ready' : '/health/live';
    const { status, body } = await askAdmin(address, {
      method: 'GET',
      path,
      accepts: [503],
      timeoutMs: 3_000,
    });
    const { plainText } = await import('../output/plain-text.ts');
    const { textIn } = await import('../output/values.ts');
    const said = plainText(textIn(body, 'status'));
    if (status === 200) {
      process.stdout.write(`${said}\n`);
      return OK;
    }
    process.stderr.write(`druid-gateway: ${said}: ${plainText(textIn(body, 'reason'))}\n`);
    return FAILED;
  },
};
