/** Routes with several ways: a flow keeps to one, and flows are spread by weight. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../../src/model/address.ts';
import { forwardingOf, packetOf, route, tunnel } from './forwarding.ts';

const anyHost = fc.nat(0xff).map((last) => `10.65.100.${last}`);
const anyFar = fc.nat(0xffff).map((last) => formatAddress(0x0a420000 + last));

function routerOf(weights: readonly number[]) {
  const ways = weights.map((_, index) => index + 1);
  const far = route('10.66.0.0/16', ways, weights);
  return forwardingOf(...[0, ...ways].flatMap((index) => tunnel(index)), route('10.65.100.0/24', [0]), far);
}

describe('a route with several ways', () => {
  it('keeps the packets of two addresses on one way, whatever else they carry', () => {
    const { arrive, sent } = routerOf([3, 1, 2]);
    fc.assert(
      fc.property(anyHost, anyFar, fc.array(fc.string({ maxLength: 20 }), { minLength: 2 }), (from, to, texts) => {
        const before = sent.length;
        for (const text of texts) arrive(0, packetOf({ from, to, text }));
        expect(new Set(sent.slice(before).map((packet) => packet.tunnel)).size).toBe(1);
      }),
    );
  });

  it.each([
    ['hosts of one network', (index: number) => [`10.65.100.${index % 250}`, `10.66.0.${Math.floor(index / 250)}`]],
    ['networks whose hosts end alike', (index: number) => ['10.65.100.1', `10.66.${index % 256}.1`]],
    [
      'hosts with even addresses',
      (index: number) => [`10.65.100.${2 * (index % 128)}`, `10.66.${2 * Math.floor(index / 128)}.2`],
    ],
    ['pairs of the same numbers', (index: number) => [`10.65.100.${index % 256}`, `10.66.0.${index % 256}`]],
  ] as const)('spreads the flows of %s by weight', (_, ends) => {
    for (const weights of [
      [1, 1],
      [1, 1, 1, 1],
      [3, 1],
    ]) {
      const { arrive, sent } = routerOf(weights);
      const flows = new Set<string>();
      for (let index = 0; index < 1000; index += 1) flows.add(ends(index).join(' '));
      for (const flow of flows) {
        const [from, to] = flow.split(' ') as [string, string];
        arrive(0, packetOf({ from, to }));
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [index, weight] of weights.entries()) {
        const share = sent.filter((packet) => packet.tunnel === index + 1).length / flows.size;
        expect(Math.abs(share - weight / total), `way ${index} of ${weights}`).toBeLessThan(0.12);
      }
    }
  });
});
