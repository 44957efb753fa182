/** Loaded into a worker with `--import`: it says whatever it is told to say, also what no worker would. */
process.on('message', (message: { readonly kind?: string; readonly what?: unknown }) => {
  if (message.kind === 'say') process.send?.(message.what);
});
