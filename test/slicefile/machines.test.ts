/** Routers that are virtual machines, in slice files. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkSlice } from '../../src/slicefile/index.ts';
import { changed } from './support/faults.ts';

const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-images-'));
const file = join(directory, 'two.yaml');
const content = 'an image';
writeFileSync(join(directory, 'a.img'), content);
writeFileSync(join(directory, 'empty.img'), '');
mkdirSync(join(directory, 'folder'));
afterAll(() => rmSync(directory, { recursive: true }));

const withRouters = (text: string) => changed('[alpha, beta]\n  links', `${text}\n  links`);

function faultsOf(routers: string): string[] {
  const checked = checkSlice(withRouters(routers), file);
  return 'faults' in checked ? checked.faults.map(({ message, hint }) => `${message} (${hint})`) : [];
}

describe('virtual machines in slice files', () => {
  it('an image is known by what it contains', () => {
    const checked = checkSlice(
      withRouters(
        '[alpha, { name: beta, kind: image, image: a.img, memory: 2G, console: none, userData: "#!/bin/sh" }]',
      ),
      file,
    );
    expect('slice' in checked && checked.slice.vns[0]!.routers[1]).toEqual({
      name: 'beta',
      kind: 'image',
      config: {
        image: join(directory, 'a.img'),
        digest: createHash('sha256').update(content).digest('hex'),
        bytes: content.length,
        memoryMib: 2048,
        console: 'none',
        userData: '#!/bin/sh',
      },
    });
  });

  it('memory and console have defaults', () => {
    const checked = checkSlice(withRouters('[alpha, { name: beta, kind: image, image: a.img }]'), file);
    expect('slice' in checked && checked.slice.vns[0]!.routers[1]!.config).toMatchObject({
      memoryMib: 128,
      console: 'log',
    });
  });

  it.each([
    [
      'without an image',
      '{ name: beta, kind: image }',
      "router 'beta' is a virtual machine without an image (give it image: FILE)",
    ],
    ['with a missing image', '{ name: beta, kind: image, image: b.img }', "cannot read 'b.img': no such file ("],
    ['with an empty image', '{ name: beta, kind: image, image: empty.img }', "cannot read 'empty.img': it is empty ("],
    ['with a folder', '{ name: beta, kind: image, image: folder }', "cannot read 'folder': it is a directory ("],
    [
      'with too little memory',
      '{ name: beta, kind: image, image: a.img, memory: 8M }',
      "a virtual machine cannot have '8M' of memory (16M to 1024G)",
    ],
    [
      'with memory without a unit',
      '{ name: beta, kind: image, image: a.img, memory: "128" }',
      "'128' is no amount of memory (write it like 128M or 2G)",
    ],
    [
      'with an unknown console',
      '{ name: beta, kind: image, image: a.img, console: vga }',
      "unknown console mode 'vga' (",
    ],
    [
      'with bgp',
      '{ name: beta, kind: image, image: a.img, bgp: { as: 65001 } }',
      "router 'beta' is a virtual machine and has no bgp (",
    ],
    [
      'of another kind',
      '{ name: beta, kind: static, memory: 128M }',
      "router 'beta' is no virtual machine and has no memory (give it kind: image)",
    ],
    [
      'as their name only',
      '{ name: beta, image: a.img }',
      "router 'beta' is no virtual machine and has no image (give it kind: image)",
    ],
  ])('one %s is a fault', (_, router, fault) => {
    const faults = faultsOf(`[alpha, ${router}]`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  it('together with a routing daemon it needs a routing protocol, which static routers lack', () => {
    const image = '{ name: beta, kind: image, image: a.img }';
    const daemon = '{ name: alpha, kind: bird, bgp: { as: 65001 } }';
    expect(faultsOf(`[${daemon}, ${image}]`)[0]).toContain('but no routing (give the VN routing: { protocol: ospf })');
    expect(faultsOf(`[{ name: alpha, kind: bird }, ${image}]\n  routing: { protocol: ospf }`)).toEqual([]);
    expect(faultsOf(`[alpha, ${image}]\n  routing: { protocol: ospf }`)[0]).toContain(
      "has routing, and static router 'alpha'",
    );
  });
});
