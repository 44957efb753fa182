import { matchesGlob } from 'node:path';

export interface Instruction {
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  /** The rest of the line; continuation lines joined. */
  readonly args: string;
}

export interface Stage {
  readonly image: string;
  readonly name: string | null;
  readonly instructions: readonly Instruction[];
}

/** Reads as much of Dockerfile syntax as this project uses, and throws on what it does not know. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n');
  const stages: { image: string; name: string | null; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const instruction = parseInstruction(line);
    if (instruction.name === 'FROM') {
      const [image, as, name] = instruction.args.split(/\s+/);
      if (image === undefined || (as !== undefined && as !== 'AS')) throw new Error(`cannot read: ${line}`);
      stages.push({ image, name: name ?? null, instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`before the first FROM: ${line}`);
      stage.instructions.push(instruction);
    }
  }
  return stages;
}

const KNOWN = /^(FROM|WORKDIR|COPY|RUN|ENV|USER|EXPOSE|HEALTHCHECK|ENTRYPOINT|CMD|LABEL|STOPSIGNAL)\s+(.*)$/;

function parseInstruction(line: string): Instruction {
  const [, name, rest] = KNOWN.exec(line) ?? [];
  if (name === undefined || rest === undefined || rest.includes('<<'))
    throw new Error(`cannot read: ${line}`);
  const flags: Record<string, string> = {};
  let args = rest;
  for (let flag = FLAG.exec(args); flag !== null; flag = FLAG.exec(args)) {
    const [text, key = '', value = ''] = flag;
    flags[key] = value;
    args = args.slice(text.length);
  }
  return { name, flags, args };
}

const FLAG = /^--([a-z-]+)=(\S+)\s+/;

/** The arguments of an instruction in JSON form. */
export function jsonForm(args: string): string[] {
  const value: unknown = JSON.parse(args);
  if (!Array.isArray(value)) throw new Error(`not in JSON form: ${args}`);
  return value.map(String);
}

/**
 * Whether Docker leaves a path of the context out: of all patterns that match it or a folder above it, the last
 * one decides.
 */
export function dockerIgnores(ignoreFile: string): (path: string) => boolean {
  const patterns = ignoreFile
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ glob: line.replace(/^!/, ''), ignores: !line.startsWith('!') }));
  return (path) => {
    const parts = path.split('/');
    const selfAndFolders = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    const deciding = patterns.findLast(({ glob }) => selfAndFolders.some((name) => matchesGlob(name, glob)));
    return deciding?.ignores ?? false;
  };
}
