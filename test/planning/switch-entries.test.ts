import { describe, expect, it } from 'vitest';
import { containsPrefix, parsePrefix } from '../../src/model/address.ts';
import { changedEntries, type FlowEntry, flowKey } from '../../src/model/flow-entry.ts';
import { moveRouter, planInstance } from '../../src/planning/instance.ts';
import { isFlowEntry, planSwitch } from '../../src/planning/switch-entries.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { checkDaemonConfig } from '../../src/vsys/daemon-config.ts';
import { switchText } from '../../src/vsys/switch-config.ts';
import { experimentSlice } from '../support/slices.ts';

const slice = readSlice(experimentSlice('switches'));
const vn = slice.vns[0]!;
const plan = planVn(slice, vn);
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const names = ['a', 'b', 'c'];

describe('the entries of switches', () => {
  it('lead each flow hop by hop to the gateway behind which it ends, from where the hop before sends it', () => {
    for (const [from, to] of [plan.access, plan.access.toReversed()] as const) {
      const path: string[] = [];
      let [at, arrivesAt] = endOf(instance.links.find(({ a }) => a.gateway === from!.gateway)!.a.interface);
      for (; at !== to!.gateway; [at, arrivesAt] = next(at, arrivesAt)) path.push(at);
      expect(path).toEqual(from === plan.access[0] ? names : names.toReversed());

      function next(router: string, port: string) {
        const found = planSwitch(plan, instance, router).entries.filter(
          (entry) => entry.in === port && entry.source === from!.prefix && entry.destination === to!.prefix,
        );
        expect(found).toHaveLength(1);
        const { output } = found[0]!;
        const [own, peer] = endsWith(output.interface);
        expect([output.sender, output.receiver]).toEqual([own.mac, peer.mac]);
        return endOf(output.interface);
      }
    }
  });

  it('lead probes to every address of the instance that is not the switch own, and nowhere else', () => {
    for (const router of names) {
      const own = instance.links.flatMap(({ a, b }) => [a, b]).filter((end) => end.router === router);
      const others = planSwitch(plan, instance, router).entries.filter((entry) => !isFlowEntry(entry));
      const block = parsePrefix(instance.block);
      const led = others.filter(({ destination }) => containsPrefix(block, parsePrefix(destination)));
      const all = instance.links.flatMap(({ a, b }) => [a.address, b.address]);
      const expected = all.filter((address) => !own.some((end) => end.address === address));
      expect(led.map(({ destination }) => destination).sort()).toEqual(expected.map((one) => `${one}/32`).sort());
    }
  });

  it('are a valid configuration, in which no two are the same', () => {
    for (const router of names) {
      const config = planSwitch(plan, instance, router);
      expect(() => checkDaemonConfig('openvswitch', switchText(config))).not.toThrow();
      expect(new Set(config.entries.map(flowKey)).size).toBe(config.entries.length);
    }
  });

  it('change at the neighbours of a switch that moves in nothing but where they send to', () => {
    const moved = moveRouter(instance, 'b', 'p4');
    const back = moveRouter(moved, 'b', 'p2');
    expect(back.links).toEqual(instance.links);
    for (const router of ['a', 'c']) {
      const [before, after] = [instance, moved].map((place) => planSwitch(plan, place, router));
      expect(after!.ports).toEqual(before!.ports);
      const changed = changedEntries(before!.entries, after!.entries);
      // One flow leads to b; the other entries are for probes.
      expect(changed.filter(isFlowEntry)).toHaveLength(1);
      const receivers = ({ output }: FlowEntry) => output.receiver.slice(0, 5);
      expect(new Set(changed.map(receivers))).toEqual(new Set(['02:52']));
      expect(changedEntries(after!.entries, after!.entries)).toEqual([]);
    }
  });
});

/** The ends of the link with this interface: its own, and the other. */
function endsWith(name: string) {
  const link = instance.links.find(({ a, b }) => a.interface === name || b.interface === name)!;
  return link.a.interface === name ? ([link.a, link.b] as const) : ([link.b, link.a] as const);
}

/** What is at the other end of an interface, and its interface there. */
function endOf(name: string): [string, string] {
  const [, peer] = endsWith(name);
  return [peer.router ?? peer.gateway!, peer.interface];
}
