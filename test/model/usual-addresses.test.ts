import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress, parsePrefix } from '../../src/model/address.ts';

describe('the quick way through usual addresses', () => {
  const number = fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max: 260 }).map(String) },
    { weight: 1, arbitrary: fc.constantFrom('', '00', '01', '0x1', ' 1', '-1') },
  );
  const dotted = fc.array(number, { minLength: 3, maxLength: 5 }).map((numbers) => numbers.join('.'));

  it('an address is what the library says', () => {
    fc.assert(
      fc.property(dotted, (text) => {
        const isValid = ipaddr.IPv4.isValidFourPartDecimal(text);
        if (!isValid) expect(() => parseAddress(text)).toThrow('is not an IPv4 address');
        else expect(formatAddress(parseAddress(text))).toBe(ipaddr.IPv4.parse(text).toString());
      }),
    );
  });

  it('a prefix is what the library says', () => {
    const length = fc.oneof(fc.integer({ min: 0, max: 40 }).map(String), fc.constantFrom('', '08', '1.', ' 8'));
    fc.assert(
      fc.property(dotted, length, (text, bits) => {
        const prefix = `${text}/${bits}`;
        const isUsual = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/.test(prefix) && ipaddr.IPv4.isValidCIDR(prefix);
        const network = () => ipaddr.IPv4.networkAddressFromCIDR(prefix).toString();
        if (!isUsual || network() !== ipaddr.IPv4.parse(text).toString()) expect(() => parsePrefix(prefix)).toThrow();
        else expect(parsePrefix(prefix)).toEqual({ base: parseAddress(network()), length: Number(bits) });
      }),
    );
  });
});
