import { describe, expect, it } from 'vitest';
import { maxPorts, qemuWords, type Starting } from '../../../src/agent/machines/command-line.ts';
import type { MachineSpec } from '../../../src/agent/machines/machine.ts';

const port = (index: number) => ({ tap: `tap${index}`, mac: `52:54:00:00:00:${(index + 16).toString(16)}` });
const spec: MachineSpec = {
  folder: '/run/m',
  namespace: 'ns',
  image: '/images/i',
  memoryMib: 96,
  ports: [port(0), port(1)],
  configDisk: '/run/m/config',
  console: 'log',
};
const starting: Starting = {
  accelerator: 'tcg',
  boot: { kind: 'kernel', kernel: '/run/m/kernel', initrd: '/run/m/initrd', cmdline: 'quiet, and more' },
  user: 1_900_000_000,
  begin: 'run',
};

/** The words after each word `name`. */
function valuesOf(words: readonly string[], name: string): string[] {
  return words.flatMap((word, index) => (word === name ? [words[index + 1]!] : []));
}

describe('qemuWords', () => {
  it('gives each device its slot, whatever the other places are called', () => {
    const slotsOf = (one: MachineSpec) =>
      valuesOf(qemuWords(one, starting), '-device').map((device) => /^[\w-]+,addr=0x\w+/.exec(device)![0]);
    const here = slotsOf(spec);
    expect(here).toEqual([
      'virtio-rng-pci,addr=0x2',
      'virtio-blk-pci,addr=0x4',
      'virtio-net-pci,addr=0x5',
      'virtio-net-pci,addr=0x6',
    ]);
    const ports = spec.ports.map(({ mac }) => ({ tap: 'other', mac }));
    expect(slotsOf({ ...spec, folder: '/other', ports })).toEqual(here);
  });

  it('leaves a copy nothing to guess: only paths, taps and what begins differ', () => {
    const differs = ({ folder, ports }: MachineSpec, begin: Starting['begin']) =>
      qemuWords({ ...spec, folder, ports }, { ...starting, begin }).filter(
        (word) => !/\/run\/|\/other\/|ifname=|^-S$|^-incoming$/.test(word),
      );
    const ports = spec.ports.map(({ mac }) => ({ tap: 'other', mac }));
    expect(differs({ ...spec, folder: '/other', ports }, 'copy')).toEqual(differs(spec, 'run'));
  });

  it('gives a guest under the translator memory whose pages QEMU watches again after they were copied', () => {
    expect(valuesOf(qemuWords(spec, starting), '-m')).toEqual(['98312K']);
    expect(valuesOf(qemuWords(spec, { ...starting, accelerator: 'kvm' }), '-m')).toEqual(['98304K']);
  });

  it('keeps the guest and QEMU from the rest of the node', () => {
    const words = qemuWords(spec, starting);
    expect(valuesOf(words, '-runas')).toEqual(['1900000000:1900000000']);
    expect(valuesOf(words, '-sandbox')[0]).toMatch(/^on,.*spawn=deny/);
    const asRoot = qemuWords(spec, { ...starting, user: undefined });
    expect(valuesOf(asRoot, '-sandbox')[0]).toContain('elevateprivileges=deny');
    expect(asRoot).not.toContain('-runas');
  });

  it('opens no file that a disk image names, and writes only to the disk of its own', () => {
    const disk = { kind: 'disk', format: 'qcow2', disk: '/images/i', overlay: '/run/m/disk.qcow2' } as const;
    const [base, overlay, config] = valuesOf(qemuWords(spec, { ...starting, boot: disk }), '-blockdev').map(
      (text) => JSON.parse(text) as Record<string, unknown>,
    );
    expect(base).toMatchObject({ driver: 'qcow2', backing: null, 'read-only': true });
    expect(overlay).toMatchObject({ driver: 'qcow2', backing: 'base', file: { filename: '/run/m/disk.qcow2' } });
    expect(config).toMatchObject({ driver: 'raw', 'read-only': true, file: { 'read-only': true } });
  });

  it('keeps the console only if asked to', () => {
    const consoleOf = (console: MachineSpec['console']) =>
      valuesOf(qemuWords({ ...spec, console }, starting), '-chardev').find((one) => one.includes('id=console'));
    expect(consoleOf('log')).toContain('logfile=/run/m/console.log');
    expect(consoleOf('none')).not.toContain('logfile');
  });

  it('refuses more links than the bus has slots', () => {
    const ports = Array.from({ length: maxPorts + 1 }, (_, index) => port(index));
    expect(() => qemuWords({ ...spec, ports }, starting)).toThrow('at most 27 links, not 28');
  });
});
