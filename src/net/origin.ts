/** With a host name of 255 characters. */
const LONGEST = 300;

/**
 * Reads an http(s) URL of a Druid node: `http://host:port`, as `DruidNode` writes it into a latch. The port is always
 * spelled out, so the texts of both sources can be compared. Null for anything else, URLs with credentials included.
 */
export function parseOrigin(text: string): string | null {
  if (text.length > LONGEST) return null;
  if (!/^https?:\/\/[^\s@\\]+$/i.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (url.hostname === '' || port === '0') return null;
  return `${url.protocol}//${url.hostname}:${port}`;
}
