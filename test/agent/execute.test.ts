import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execute, undo } from '../../src/agent/dataplane/kernel/execute.ts';
import { batchLine } from '../../src/agent/dataplane/kernel/ip.ts';
import { type Command, ip } from '../../src/agent/dataplane/planner/commands.ts';
import { describeAsRoot, uniqueName } from '../support/privileges.ts';

describeAsRoot('execute', () => {
  const namespace = uniqueName('agx');
  beforeAll(() => void execFileSync('ip', ['netns', 'add', namespace]));
  afterAll(() => void execFileSync('ip', ['netns', 'del', namespace]));

  const addresses = () =>
    execFileSync('ip', ['-n', namespace, '-br', '-4', 'address', 'show', 'dev', 'lo'], { encoding: 'utf8' }).trim();
  const setting = (file: string) =>
    execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'cat', `/proc/sys/net/${file}`], {
      encoding: 'utf8',
    }).trim();

  function put(address: string, undo = `address del ${address} dev lo`): Command {
    return {
      do: ip(namespace, ...`address add ${address} dev lo`.split(' ')),
      undo: [ip(namespace, ...undo.split(' '))],
    };
  }

  const command = (words: string): Command => ({ do: ip(namespace, ...words.split(' ')), undo: [] });
  const set = (file: string, value: string, before: string): Command => ({
    do: { namespace, settings: new Map([[file, value]]) },
    undo: [{ namespace, settings: new Map([[file, before]]) }],
  });

  it('execute runs all commands', async () => {
    const before = setting('ipv4/ip_default_ttl');
    const undone = { namespace, settings: new Map([['ipv4/ip_default_ttl', before]]) };
    await execute([put('10.65.0.1/32'), set('ipv4/ip_default_ttl', '77', before), put('10.65.0.2/32')]);
    expect(addresses()).toMatch(/10\.65\.0\.1\/32 10\.65\.0\.2\/32$/);
    expect(setting('ipv4/ip_default_ttl')).toBe('77');
    await execute([
      command('address del 10.65.0.1/32 dev lo'),
      command('address del 10.65.0.2/32 dev lo'),
      { do: undone, undo: [] },
    ]);
  });

  it.each([
    [
      'a line that the kernel refuses',
      command('link set nothing up'),
      (ns: string) => `ip -netns ${ns} link set nothing up: Cannot find device "nothing"`,
    ],
    [
      'a missing setting',
      set('ipv4/nothing', '1', '0'),
      (ns: string) =>
        `cannot set ipv4/nothing to 1 in namespace '${ns}': tee: /proc/sys/net/ipv4/nothing: No such file or directory`,
    ],
  ])('execute undoes what was done before %s', async (_name, failing, message) => {
    const before = [addresses(), setting('ipv4/ip_default_ttl')];
    const batch = [
      put('10.65.0.1/32'),
      set('ipv4/ip_default_ttl', '77', before[1]!),
      put('10.65.0.2/32'),
      failing,
      put('10.65.0.3/32'),
    ];
    const error = { code: 'failed', message: expect.stringContaining(message(namespace)) };
    await expect(execute(batch)).rejects.toMatchObject(error);
    expect([addresses(), setting('ipv4/ip_default_ttl')]).toEqual(before);
  });

  it('execute undoes what may have been done when `ip` does not say how far it came', async () => {
    const before = addresses();
    const batch = [put('10.65.0.1/32'), command('route add 10.65.0.0/24 nexthop dev lo sideways'), put('10.65.0.2/32')];
    await expect(execute(batch)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(
        /^ip -netns \S+ -batch -: .*sideways.*\nnot undone: ip -netns \S+ address del 10\.65\.0\.2\/32 dev lo: /,
      ),
    });
    expect(addresses()).toBe(before);
  });

  it('execute reports what could not be undone', async () => {
    const batch = [put('10.65.0.1/32', 'address del 10.65.0.9/32 dev lo'), command('link set nothing up')];
    await expect(execute(batch)).rejects.toMatchObject({
      code: 'failed',
      message: [
        `ip -netns ${namespace} link set nothing up: Cannot find device "nothing"`,
        `not undone: ip -netns ${namespace} address del 10.65.0.9/32 dev lo: ipv4: Address not found`,
      ].join('\n'),
      hint: 'undo the rest by hand, or apply the wanted state again',
    });
    execFileSync('ip', ['-n', namespace, 'address', 'del', '10.65.0.1/32', 'dev', 'lo']);
  });

  it.each(['a b', 'x;y', '#x', "x'y", '$x', 'x\ny', '', 'x\\y'])(
    'execute passes no word to `ip` that has a special meaning there: %j',
    (word) => {
      expect(() => batchLine(['link', 'show', word])).toThrow(
        expect.objectContaining({ code: 'unsupported', message: `cannot pass ${JSON.stringify(word)} to 'ip'` }),
      );
    },
  );

  describe('many lines', () => {
    const prefixes = Array.from({ length: 600 }, (_, index) => `10.66.${index >> 8}.${index & 255}/32`);
    const routes = () =>
      execFileSync('ip', ['-n', namespace, 'route', 'show', 'table', 'all', 'root', '10.66.0.0/16'], {
        encoding: 'utf8',
      })
        .split('\n')
        .filter((line) => line.includes('blackhole')).length;
    const many = (each: readonly string[]): Command => {
      const step = (action: string) => ({ namespace, ip: ['route', action, 'blackhole'], each, rest: ' table 254' });
      return { do: step('add'), undo: [step('del')] };
    };

    it('all are done, by few processes, and can be undone', async () => {
      const command = many(prefixes);
      await execute([put('10.65.0.1/32'), command]);
      expect(routes()).toBe(600);
      expect(await undo([command, put('10.65.0.1/32')])).toEqual([]);
      expect([routes(), addresses()]).toEqual([0, expect.not.stringContaining('10.65')]);
    });

    it.each([0, 100, 299, 300, 599])('those done before line %d fails are undone, and nothing else', async (at) => {
      const present = prefixes[at]!;
      execFileSync('ip', ['-n', namespace, 'route', 'add', 'blackhole', present]);
      const doing = execute([put('10.65.0.1/32'), many(prefixes), put('10.65.0.2/32')]);
      await expect(doing).rejects.toMatchObject({
        code: 'failed',
        message: `ip -netns ${namespace} route add blackhole ${present} table 254: File exists`,
        hint: 'nothing was changed',
      });
      expect([routes(), addresses()]).toEqual([1, expect.not.stringContaining('10.65')]);
      execFileSync('ip', ['-n', namespace, 'route', 'del', 'blackhole', present]);
    });

    it('a word that would not arrive unchanged is refused before anything is done', async () => {
      await expect(execute([many([...prefixes, '10.66.9.9/32 table 5'])])).rejects.toMatchObject({ code: 'failed' });
      expect(routes()).toBe(0);
    });
  });
});
