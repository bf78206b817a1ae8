/**
 * The command line of QEMU for a machine. Everything that the guest sees of its hardware is written out, with the slot
 * of each device, so that a copy of the guest fits a machine of the same spec on another node and in other versions of
 * QEMU (6.2 and newer). Pure.
 */
import { join } from 'node:path';
import { VnmError } from '../../model/errors.ts';
import type { Accelerator, MachineSpec } from './machine.ts';

/** A disk, or a kernel and its initial file system: paths on the node. */
export type Boot =
  | { readonly kind: 'disk'; readonly format: 'qcow2' | 'raw'; readonly disk: string; readonly overlay: string }
  | { readonly kind: 'kernel'; readonly kernel: string; readonly initrd: string; readonly cmdline: string };

export interface Starting {
  readonly accelerator: Accelerator;
  readonly boot: Boot;
  /** The numbers as which QEMU runs once it has opened its files; undefined where it stays root. */
  readonly user: number | undefined;
  /** `copy`: waits for a copy of a guest. */
  readonly begin: 'run' | 'paused' | 'copy';
}

export const hardware = 'pc-i440fx-6.2';
/** What all processors of servers of the last decade can, and QEMU's translator can, too (x86-64-v2). */
const processor = 'Nehalem-v1';
/** Of the PCI bus: 0 and 1 are the machine's own. */
const slots = { random: 2, disk: 3, config: 4, firstPort: 5, end: 32 } as const;
export const maxPorts = slots.end - slots.firstPort;
const sandbox = 'spawn=deny,resourcecontrol=deny';
/** For translated code. QEMU's usual size is a gigabyte; a router's code fits into this. */
const translatedMib = 64;
/** The most that virtio-net takes. */
const queueLength = 1024;

/** The files of a machine in its folder. */
export const filesOf = (folder: string) => ({
  /** A process is the machine's if its command has this word. */
  pid: join(folder, 'pid'),
  /** QMP, one client at a time: for commands, and for questions meanwhile. */
  control: join(folder, 'control'),
  questions: join(folder, 'questions'),
  /** The guest's first serial port. */
  console: join(folder, 'console'),
  consoleLog: join(folder, 'console.log'),
  /** What QEMU prints. */
  log: join(folder, 'qemu.log'),
  overlay: join(folder, 'disk.qcow2'),
  /** Where QEMU waits for a copy. */
  incoming: join(folder, 'incoming'),
});

/**
 * How much memory QEMU gives the guest, in KiB. With its translator it is not a multiple of 256 KiB: of such memory,
 * QEMU before version 9 forgets to watch pages again that were copied once, and writes to them are missing in a copy
 * ("physmem: fix migration dirty bitmap coherency with TCG memory access"). With this, a slow copy of a guest that
 * forwards took 9 to 12 rounds, and 5 before.
 */
export function memoryKib({ memoryMib }: Pick<MachineSpec, 'memoryMib'>, accelerator: Accelerator): number {
  return memoryMib * 1024 + (accelerator === 'tcg' ? 8 : 0);
}

/** The words after the program's name. Throws VnmError `unsupported` for too many ports. */
export function qemuWords(spec: MachineSpec, { accelerator, boot, user, begin }: Starting): string[] {
  if (spec.ports.length > maxPorts) {
    throw new VnmError('unsupported', `a virtual machine has at most ${maxPorts} links, not ${spec.ports.length}`);
  }
  const files = filesOf(spec.folder);
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-pidfile', files.pid],
    // Its own change of user is the last one: then it has no privileges.
    ...['-sandbox', `on,obsolete=deny,elevateprivileges=${user === undefined ? 'deny' : 'allow'},${sandbox}`],
    ...(user === undefined ? [] : ['-runas', `${user}:${user}`]),
    ...['-machine', `${hardware},usb=off,vmport=off,dump-guest-core=off`, '-cpu', processor, '-smp', '1'],
    ...[
      '-accel',
      accelerator === 'kvm' ? 'kvm' : `tcg,tb-size=${translatedMib}`,
      '-m',
      `${memoryKib(spec, accelerator)}K`,
    ],
    // The guest's clock stands still with the guest.
    ...['-rtc', 'base=utc,clock=vm'],
    ...monitor('control', files.control),
    ...monitor('questions', files.questions),
    ...serial(spec, files.console, files.consoleLog),
    ...['-object', 'rng-builtin,id=random', '-device', device('virtio-rng-pci', slots.random, 'rng=random')],
    ...bootWords(boot),
    ...['-blockdev', raw('config', spec.configDisk), '-device', disk(slots.config, 'drive=config')],
    ...spec.ports.flatMap(({ tap, mac }, index) => [
      ...['-netdev', `tap,id=port${index},ifname=${tap},script=no,downscript=no,vhost=off`],
      ...[
        '-device',
        device('virtio-net-pci', slots.firstPort + index, `netdev=port${index},mac=${mac},${portOptions}`),
      ],
    ]),
    ...{ run: [], paused: ['-S'], copy: ['-S', '-incoming', `unix:${files.incoming}`] }[begin],
  ];
}

/** No network boot; a guest that goes on elsewhere is not asked to announce itself. */
const portOptions = `romfile=,guest_announce=off,rx_queue_size=${queueLength}`;

const device = (name: string, slot: number, options: string) =>
  `${name},addr=0x${slot.toString(16)},disable-legacy=on,${options}`;

const disk = (slot: number, options: string) => device('virtio-blk-pci', slot, options);

function monitor(name: string, path: string): string[] {
  return ['-chardev', `socket,id=${name},path=${path},server=on,wait=off`, '-mon', `chardev=${name},mode=control`];
}

function serial({ console }: MachineSpec, path: string, log: string): string[] {
  const kept = console === 'log' ? `,logfile=${log},logappend=on` : '';
  return ['-chardev', `socket,id=console,path=${path},server=on,wait=off${kept}`, '-serial', 'chardev:console'];
}

/** Of a file that is never written. */
function raw(name: string, path: string): string {
  const file = { driver: 'file', filename: path, 'read-only': true };
  return JSON.stringify({ driver: 'raw', 'node-name': name, 'read-only': true, file });
}

function bootWords(boot: Boot): string[] {
  if (boot.kind === 'kernel') return ['-kernel', boot.kernel, '-initrd', boot.initrd, '-append', boot.cmdline];
  // A backing file that the image names is not opened: it could be any file of the node.
  const base =
    boot.format === 'raw'
      ? raw('base', boot.disk)
      : JSON.stringify({
          driver: 'qcow2',
          'node-name': 'base',
          'read-only': true,
          backing: null,
          file: { driver: 'file', filename: boot.disk, 'read-only': true },
        });
  const overlay = JSON.stringify({
    driver: 'qcow2',
    'node-name': 'disk',
    backing: 'base',
    file: { driver: 'file', filename: boot.overlay },
  });
  return ['-blockdev', base, '-blockdev', overlay, '-device', disk(slots.disk, 'drive=disk,bootindex=1')];
}
