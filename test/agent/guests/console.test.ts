import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { outputReader, shellLine } from '../../../src/agent/guests/console.ts';

const mark = '0123456789ab';

function read(chunks: readonly string[]) {
  const reader = outputReader(mark);
  let [output, code] = ['', undefined as number | undefined];
  for (const chunk of chunks) {
    const taken = reader.take(Buffer.from(chunk, 'latin1'));
    output += taken.output.toString('latin1');
    code ??= taken.code;
  }
  return { output, code };
}

it('the output of a command is what a shell prints between the marks', () => {
  const line = shellLine(mark, ['sh', '-c', 'echo "it\'s"; echo two; exit 3']).trimEnd();
  const printed = execFileSync('sh', ['-c', line], { encoding: 'utf8' });
  expect(read([`prompt$ ${line}\r\n`, printed.replaceAll('\n', '\r\n')])).toEqual({ output: "it's\ntwo\n", code: 3 });
});

it('the echo of the line has none of the marks', () => {
  expect(read([shellLine(mark, ['true'])])).toEqual({ output: '', code: undefined });
});

it('output without a line feed at its end stays so', () => {
  const line = shellLine(mark, ['printf', 'abc']).trimEnd();
  expect(read([execFileSync('sh', ['-c', line], { encoding: 'utf8' })])).toEqual({ output: 'abc', code: 0 });
});

it('how the output is divided makes no difference', () => {
  const text = `x\r\n${mark}:begin\r\none\r\n${mark}:end\r\n\r\n${mark}:end:17\r\nprompt`;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: text.length - 1 })), (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      const chunks = at.slice(1).map((end, index) => text.slice(at[index], end));
      expect(read(chunks)).toEqual({ output: `one\n${mark}:end\n`, code: 17 });
    }),
  );
});
