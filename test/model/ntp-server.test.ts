import { describe, expect, it } from 'vitest';
import { parseNtpServer } from '../../src/model/ntp-server.ts';

describe('parseNtpServer', () => {
  it.each([
    ['ntp1.example.org', 'ntp1.example.org', 123],
    ['192.0.2.7:1123', '192.0.2.7', 1123],
    ['a', 'a', 123],
    ['3com.example_x:65535', '3com.example_x', 65_535],
  ])('parseNtpServer accepts %s', (text, host, port) => {
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
    '10.1',
    '192.0.2.7.',
    '1.2.3.4.5',
    'ntp.example.09',
    '0x',
    '::ffff:127.0.0.1',
    '[::ffff:127.0.0.1]:123',
    'fe80::1%eth0',
    'ntp.exämple.org',
    '192.0.2.256',
    '[::1]:123',
    '::1',
    `${'a'.repeat(63)}.`.repeat(4).slice(0, -1),
  ])('parseNtpServer refuses %j', (text) => {
    expect(() => parseNtpServer(text)).toThrow(`'${text}' is not an NTP server`);
  });

  it.each([
    ['0x0a48ff01:9999', '10.72.255.1'],
    ['0177.0.0.1', '127.0.0.1'],
    ['167772161', '10.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['0X7F.0.1', '127.0.0.1'],
    ['010.072.0377.01', '8.58.255.1'],
    ['10.72.65281', '10.72.255.1'],
    ['4294967295', '255.255.255.255'],
  ])('parseNtpServer refuses %s, another notation of %s', (text, address) => {
    const refusal = expect.objectContaining({
      code: 'invalid-input',
      hint: expect.stringMatching(`write ${address}$`),
    });
    expect(() => parseNtpServer(text)).toThrow(refusal);
  });
});
