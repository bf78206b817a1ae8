import { describe, expect, it } from 'vitest';
import { parseNtpServer } from '../../src/model/ntp-server.ts';

describe('parseNtpServer', () => {
  it.each([
    ['ntp1.example.org', 'ntp1.example.org', 123],
    ['192.0.2.7:1123', '192.0.2.7', 1123],
    ['a', 'a', 123],
    ['3com.example_x:65535', '3com.example_x', 65_535],
  ])('%s', (text, host, port) => {
    expect(parseNtpServer(text)).toEqual({ host, port });
  });

  it.each([
    '',
    ':123',
    'a:',
    'a:0',
    'a:65536',
    'a:1:2',
    '-a',
    'a-',
    'a..b',
    'a.',
    'a b',
    'a\n',
    '192.0.2',
    '192.0.2.256',
    '[::1]:123',
    '::1',
    `${'a'.repeat(63)}.`.repeat(4).slice(0, -1),
  ])('refuses %j', (text) => {
    expect(() => parseNtpServer(text)).toThrow(`'${text}' is not an NTP server`);
  });
});
