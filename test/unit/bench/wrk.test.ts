import { expect, test } from 'vitest';
import { served, WORKLOADS } from '../../../bench/workloads.ts';
import { errorsOf, parseLoad } from '../../../bench/wrk.ts';

const LINE =
  '{"requests":120,"durationUs":2000000,"bytes":64000,"p50Us":310,"p99Us":900,"failed":1,"refused":2,"cut":3,"late":4}';

test('the last line of JSON in what wrk prints is what it did', () => {
  const load = parseLoad(`Running 2s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n${LINE}\n`);
  expect(load).toMatchObject({ requests: 120, durationUs: 2_000_000, p50Us: 310, p99Us: 900 });
  expect(errorsOf(load)).toBe(10);
});

test('output without figures, or without one of them, is an error that shows it', () => {
  expect(() => parseLoad('unable to connect to 127.0.0.1:1 Connection refused\n')).toThrow(
    'Connection refused',
  );
  expect(() => parseLoad(LINE.replace('p99Us', 'p98Us'))).toThrow('p99Us');
});

test('large answers and bodies count by their bytes, all others by number', () => {
  const workload = (name: string) => {
    const found = WORKLOADS.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  };
  const moved = { requests: 2, answerBytes: 2.5 * 64 * 1024 * 1024, bodyBytes: 35_000_000 };
  expect(served(workload('big'), moved)).toBe(2.5);
  expect(served(workload('upload'), moved)).toBe(3.5);
  expect(served(workload('sql'), moved)).toBe(2);
});
