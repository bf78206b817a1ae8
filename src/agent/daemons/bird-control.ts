/** BIRD's control socket: lines with a code of four digits. The last line of an answer has a space after its code. */
import { connect } from 'node:net';
import { VnmError } from '../../model/errors.ts';

export interface ControlLine {
  /** 0xxx and 1xxx: answers; 8xxx and 9xxx: errors. */
  readonly code: number;
  readonly text: string;
}

const patienceMs = 5000;
/** Far more than neighbours and protocols of one router take. */
const maxBytes = 8 * 1024 * 1024;

/**
 * Sends one command. Throws VnmError `failed` if BIRD does not answer in time, or with an error. The answer is the
 * daemon's, which is not trusted: it is bounded in size and time.
 */
export async function askBird(socket: string, command: string): Promise<ControlLine[]> {
  // The greeting is an answer, too.
  const [, answer = []] = await exchange(socket, `${command}\n`);
  const fault = answer.find(({ code }) => code >= 8000);
  if (fault !== undefined) throw new VnmError('failed', `BIRD refuses '${command}': ${fault.text}`);
  return answer;
}

function exchange(path: string, command: string): Promise<ControlLine[][]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const fail = (why: string) => {
      socket.destroy();
      reject(new VnmError('failed', `BIRD does not answer at ${path}: ${why}`));
    };
    const timer = setTimeout(() => fail(`nothing within ${patienceMs / 1000} s`), patienceMs);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > maxBytes) fail('the answer is too long');
      const answers = parseAnswers(text);
      if (answers.length < 2) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(answers);
    });
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => {
      clearTimeout(timer);
      fail('it closed the connection');
    });
    socket.write(command);
  });
}

/** Returns the complete answers in the text. A line that begins with a space continues the code of the one before. */
export function parseAnswers(text: string): ControlLine[][] {
  const answers: ControlLine[][] = [];
  let open: ControlLine[] = [];
  let code = 0;
  for (const line of text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1)) {
    const [, digits, mark, rest] = /^(\d{4})([ -])(.*)$/.exec(line) ?? [];
    if (digits === undefined) {
      open.push({ code, text: line.slice(1) });
      continue;
    }
    code = Number(digits);
    open.push({ code, text: rest! });
    if (mark === '-') continue;
    answers.push(open);
    open = [];
  }
  return answers;
}
