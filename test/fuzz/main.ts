/**
 * `npm run fuzz [-- messages 100000 | files 20000 [SEED]]`: sends hostile input to the agent's protocol and to slice
 * files.
 */
import { fuzzFiles } from './files.ts';
import { fuzzMessages } from './messages.ts';

const targets: Record<string, { number: number; run: (number: number, seed?: number) => object | Promise<object> }> = {
  messages: { number: 100_000, run: fuzzMessages },
  files: { number: 20_000, run: fuzzFiles },
};

const [name, number, seed] = process.argv.slice(2);
if (name !== undefined && !Object.hasOwn(targets, name)) {
  console.error(`unknown target: ${name}; the targets are ${Object.keys(targets).join(', ')}`);
  process.exit(2);
}
for (const target of name === undefined ? Object.keys(targets) : [name]) {
  const { number: usual, run } = targets[target]!;
  const startMs = performance.now();
  const result = await run(Number(number ?? usual), seed === undefined ? undefined : Number(seed));
  console.log(`${target}: ${((performance.now() - startMs) / 1000).toFixed(1)} s`, result);
}
