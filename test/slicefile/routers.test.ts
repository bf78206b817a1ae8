import { describe, expect, it } from 'vitest';
import { parseSlice } from '../../src/slicefile/index.ts';
import { changed, faultsOf, goodFile } from './support/faults.ts';

const nameRule = '1 to 32 of a-z, 0-9 and -, not beginning with -; it becomes part of names on the nodes';

/** The good file with these routers. */
const withRouters = (text: string) => changed('[alpha, beta]\n  links', `${text}\n  links`);

describe('routers as maps', () => {
  it('routers as maps mean the same as their names', () => {
    const good = parseSlice(goodFile, 'two.yaml');
    expect(good.vns[0]!.routers).toEqual(['alpha', 'beta'].map((name) => ({ name, kind: 'static', config: {} })));
    for (const text of [
      '[{ name: alpha, kind: static }, { name: beta }]',
      '[alpha, { name: beta, kind: static }]',
      '\n    - name: alpha\n    - beta',
    ]) {
      expect(parseSlice(withRouters(text), 'two.yaml')).toEqual(good);
    }
  });

  it.each([
    [
      'with an unknown kind',
      '[alpha, { name: beta, kind: ffr }]',
      [
        "two.yaml:18:40: vn.routers[1].kind: unknown router kind 'ffr' (known kinds: static, frr, bird, switch, image; static if left out)",
      ],
    ],
    [
      'with a kind that is not text',
      '[alpha, { name: beta, kind: 7 }]',
      [
        'two.yaml:18:40: vn.routers[1].kind: expected a router kind, found the number 7 (known kinds: static, frr, bird, switch, image; static if left out)',
      ],
    ],
    ['without a name', '[alpha, { kind: static }]', [`two.yaml:18:20: 'name' is missing (${nameRule})`]],
    [
      'with a name that YAML reads as a number',
      '[alpha, beta, { name: 7 }]',
      ["two.yaml:18:34: vn.routers[2].name: expected a router name, found the number 7 (write it in quotes: '7')"],
    ],
    [
      'with an unknown key',
      '[alpha, { name: beta, knid: static }]',
      ["two.yaml:18:34: unknown key 'knid' (did you mean 'kind'?)"],
    ],
    [
      'that are listed twice',
      '[alpha, beta, { name: alpha }]',
      ["two.yaml:18:34: vn.routers[2].name: duplicate router 'alpha' (list each router once)"],
    ],
    [
      'that are lists',
      '[alpha, beta, [c]]',
      [`two.yaml:18:26: vn.routers[2]: expected a router name, found a list (${nameRule})`],
    ],
  ])('routers %s have one fault, with its position', (_, routers, faults) => {
    expect(faultsOf(withRouters(routers))).toEqual(faults);
  });

  it('routers as maps must have valid names', () => {
    const text = withRouters('[alpha, beta, { name: c_d }]')
      .replace('- [alpha, beta]', '- [alpha, beta]\n    - [alpha, c_d]')
      .replace('beta: n2 }', 'beta: n2, c_d: n2 }');
    expect(faultsOf(text)).toEqual([`two.yaml:18:34: vn.routers[2].name: 'c_d' is not a router name (${nameRule})`]);
  });

  it('references find routers as maps by their names', () => {
    const text = withRouters('[alpha, { name: beta }]').replace('router: beta', 'router: bta');
    expect(faultsOf(text)).toEqual([
      "two.yaml:23:32: vn.gateways.east.router: unknown router 'bta' (did you mean 'beta'?)",
    ]);
  });
});
