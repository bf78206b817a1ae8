import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planOperations } from '../../../src/agent/dataplane/planner/plan.ts';
import type { KernelState } from '../../../src/agent/dataplane/planner/state.ts';
import { stateFile } from '../../../src/agent/dataplane/userspace/state-file.ts';
import { atOnce } from '../../../src/agent/dataplane/userspace/steps.ts';
import { operationSchema } from '../../../src/vsys/operations.ts';
import { everything } from '../../contract/networks.ts';
import { testPolicy } from '../../support/agent-node.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-state-'));
  path = join(directory, 'state.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** At an address that is there. */
const forward = { op: 'forward_up', side: 'deliver', address: '10.65.0.1', port: 5353 };

function everyKindOfThing(): KernelState {
  const empty: KernelState = {
    stacks: new Map([['', { links: new Map(), routes: new Map(), settings: new Map() }]]),
    nexthops: new Map(),
    rules: new Set(),
  };
  const { up } = everything({ tunnelKind: 'udp' }, 'n_a');
  return planOperations(
    empty,
    [...up, forward].map((operation) => operationSchema.parse(operation)),
    testPolicy('n_'),
  ).state;
}

/** As many routes in the node's own stack, and what else the state has. */
function withRoutes(state: KernelState, count: number): KernelState {
  const own = state.stacks.get('')!;
  const route = [...own.routes.values()][0]!;
  const routes = new Map(Array.from({ length: count }, (_, index) => [`route ${index}`, route]));
  return { ...state, stacks: new Map(state.stacks).set('', { ...own, routes }) };
}

describe('the file of the state', () => {
  it('returns what was written', () => {
    const state = everyKindOfThing();
    const file = stateFile(path);
    expect(file.read()).toBeUndefined();
    atOnce(file.write(state));
    const { stacks, nexthops, rules, forwards } = state;
    expect(file.read()).toEqual({ stacks, nexthops, rules, forwards });
    expect(readdirSync(directory)).toEqual(['state.json']);
  });

  it('returns what was written in many steps, and has the state before until the last', () => {
    const file = stateFile(path);
    atOnce(file.write(everyKindOfThing()));
    const before = file.read();
    for (const count of [499, 500, 501, 1500]) {
      const state = withRoutes(everyKindOfThing(), count);
      const steps = file.write(state);
      let pauses = 0;
      for (; !steps.next().done; pauses += 1) expect(file.read()).toEqual(before);
      expect(pauses).toBe(Math.ceil(count / 500) - 1);
      expect(file.read()?.stacks).toEqual(state.stacks);
      atOnce(file.write(everyKindOfThing()));
    }
  });

  it('stays as it was when it cannot be written', () => {
    const file = stateFile(path);
    atOnce(file.write(everyKindOfThing()));
    const before = readFileSync(path, 'utf8');
    const routes = new Map([['bad', { prefix: 1n }]]);
    const bad = { ...everyKindOfThing(), stacks: new Map([['', { links: new Map(), routes, settings: new Map() }]]) };
    expect(() => atOnce(file.write(bad as never))).toThrow(TypeError);
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(readdirSync(directory)).toEqual(['state.json']);
  });

  it('can be read by its owner only, since it has a key', () => {
    atOnce(stateFile(path).write(everyKindOfThing()));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('can be removed, also twice', () => {
    const file = stateFile(path);
    atOnce(file.write(everyKindOfThing()));
    file.remove();
    file.remove();
    expect(existsSync(path)).toBe(false);
  });

  it('is refused when it is damaged, whatever is missing', () => {
    atOnce(stateFile(path).write(everyKindOfThing()));
    const text = readFileSync(path, 'utf8');
    const lacking = Object.keys(JSON.parse(text)).map((name) => JSON.stringify({ ...JSON.parse(text), [name]: null }));
    const noOwnStack = JSON.stringify({ ...JSON.parse(text), stacks: [] });
    for (const damaged of ['', 'null', '7', '[]', text.slice(0, -1), ...lacking, noOwnStack]) {
      writeFileSync(path, damaged);
      expect(() => stateFile(path).read(), damaged).toThrow(
        expect.objectContaining({
          code: 'failed',
          message: expect.stringContaining(`cannot read the state of the data plane in ${path}: `),
          hint: 'remove the file, then run pl-vnm reconcile',
        }),
      );
    }
  });

  it('of another version is refused with both versions', () => {
    writeFileSync(path, '{"version":2}');
    expect(() => stateFile(path).read()).toThrow('its version is 2, this agent knows 1');
  });
});
