/** Real machines of the test image, and of a boot sector that counts on its disk. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { filesOf } from '../../../src/agent/machines/command-line.ts';
import { makeConfigDisk } from '../../../src/agent/machines/config-disk.ts';
import { copyMachine, letGoOn, restoreMachine } from '../../../src/agent/machines/copy.ts';
import type { MachineSpec } from '../../../src/agent/machines/machine.ts';
import {
  continueMachine,
  endMachine,
  findMachine,
  machineState,
  startMachine,
} from '../../../src/agent/machines/running.ts';
import { describeAsRootUnless, uniqueName } from '../../support/privileges.ts';
import { lackForRouterImage, routerImage } from '../../support/router-image.ts';

const patience = { timeout: 200_000, interval: 200 };
const macs = ['52:54:00:00:00:01', '52:54:00:00:00:02'] as const;
const routerConf = `name r1
port ${macs[0]} 10.9.0.1/24 1450
port ${macs[1]} 10.9.1.1/24 1450
`;

describeAsRootUnless(lackForRouterImage(), 'a virtual machine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-machine-'));
  const configDisk = join(directory, 'config');
  const copy = join(directory, 'copy');
  /** Each with the machine's taps at first; the second tap moves to the other one of a pair, which is its host. */
  const places = [0, 1].map(() => ({ near: uniqueName('mn'), far: uniqueName('mf') }));
  const specs: MachineSpec[] = [];
  const quiet = { stdio: 'ignore' } as const;
  const ip = (words: string) => execFileSync('ip', words.split(' '));

  beforeAll(() => {
    // QEMU's own user passes through it.
    chmodSync(directory, 0o711);
    writeFileSync(configDisk, makeConfigDisk({ 'meta-data': 'instance-id: r1\n', 'router.conf': routerConf }));
    for (const { near, far } of places) {
      const folder = join(directory, near);
      mkdirSync(folder);
      for (const name of [near, far]) ip(`netns add ${name}`);
      for (const tap of ['t0', 't1']) ip(`-n ${near} tuntap add ${tap} mode tap`);
      const ports = macs.map((mac, index) => ({ tap: `t${index}`, mac }));
      specs.push({ folder, namespace: near, image: routerImage(), memoryMib: 96, ports, configDisk, console: 'log' });
    }
  });

  afterAll(async () => {
    for (const { folder } of specs) await endMachine(folder);
    for (const { near, far } of places)
      for (const name of [near, far]) execFileSync('ip', ['netns', 'del', name], quiet);
    rmSync(directory, { recursive: true, force: true });
  });

  /** A guest forwards between two hosts: the namespace has one link to it, another namespace the other one. */
  function joinHosts(place: number): void {
    const { near, far } = places[place]!;
    ip(`-n ${near} link set t1 netns ${far}`);
    for (const [name, tap, own, other] of [
      [near, 't0', '10.9.0', '10.9.1'],
      [far, 't1', '10.9.1', '10.9.0'],
    ]) {
      ip(`-n ${name} link set ${tap} txqueuelen 10000 up`);
      ip(`-n ${name} address add ${own}.2/24 dev ${tap}`);
      ip(`-n ${name} route add ${other}.0/24 via ${own}.1`);
    }
  }

  function pings(place: number, seconds = 1): boolean {
    const words = ['netns', 'exec', places[place]!.near, 'ping', '-c', '1', '-W', String(seconds), '10.9.1.2'];
    try {
      execFileSync('ip', words, quiet);
      return true;
    } catch {
      return false;
    }
  }

  /** What a command prints on the guest's console. */
  async function onConsole(place: number, command: string, expected: RegExp): Promise<void> {
    const socket = connect(filesOf(specs[place]!.folder).console);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(socket, 'connect');
    socket.write(`${command}\n`);
    await expect.poll(() => text, patience).toMatch(expected);
    socket.destroy();
  }

  it('boots, forwards, and says what it prints', async () => {
    const [spec] = specs as [MachineSpec];
    const { pid } = await startMachine(spec);
    expect(findMachine(spec.folder).map((one) => one.pid)).toEqual([pid]);
    expect(await machineState(spec.folder)).toBe('running');
    joinHosts(0);
    await expect.poll(() => pings(0), patience).toBe(true);
    expect(readFileSync(filesOf(spec.folder).consoleLog, 'utf8')).toContain('router r1 is ready');
    const [, uid] = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
    expect(Number(uid)).toBeGreaterThan(65_536);
  });

  it('is copied without a lost packet, and runs on', async () => {
    const [spec, second] = specs as [MachineSpec, MachineSpec];
    await onConsole(0, 'echo from-$((40+2)) > /tmp/mark; cat /tmp/mark', /from-42/);
    const ping = spawn('ip', ['netns', 'exec', places[0]!.near, 'ping', '-q', '-i', '0.01', '-W', '60', '10.9.1.2']);
    let text = '';
    ping.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const { rounds, bytes } = await copyMachine(spec.folder, createWriteStream(copy), { suspend: false, goOn: true });
    expect(rounds).toBeGreaterThan(1);
    expect(bytes).toBeGreaterThan(1e6);
    expect(await machineState(spec.folder)).toBe('running');
    await sleep(500);
    ping.kill('SIGINT');
    await once(ping, 'close');
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text)!.map(Number) as [
      0,
      number,
      number,
    ];
    expect(sent).toBeGreaterThan(10);
    // One may be on its way when it ends.
    expect(sent - received).toBeLessThanOrEqual(1);

    await restoreMachine(second, createReadStream(copy));
    joinHosts(1);
    expect(await machineState(second.folder)).toBe('paused');
    expect(pings(1)).toBe(false);
    await continueMachine(second.folder);
    await expect.poll(() => pings(1), patience).toBe(true);
    await onConsole(1, 'cat /tmp/mark', /from-42/);
  });

  it('stands still while it is copied, if asked to, until it may go on', async () => {
    const { folder } = specs[0]!;
    const { frozenMs, totalMs } = await copyMachine(folder, createWriteStream(copy), { suspend: true, goOn: false });
    expect(frozenMs).toBeGreaterThan(0);
    expect(totalMs).toBeGreaterThan(0);
    expect(await machineState(folder)).toBe('postmigrate');
    expect(pings(0)).toBe(false);
    await letGoOn(folder);
    expect(pings(0, 60)).toBe(true);
  });

  it('runs on when its copy is given up, and nothing is left of that', async () => {
    const { folder } = specs[0]!;
    const before = readdirSync(folder).sort();
    const stopped = new AbortController();
    // It has no reader.
    const copying = copyMachine(folder, new PassThrough(), { suspend: true, goOn: false, signal: stopped.signal });
    const failed = expect(copying).rejects.toThrow('given up');
    await sleep(100);
    stopped.abort(new Error('given up'));
    await failed;
    await expect.poll(() => machineState(folder), patience).toBe('running');
    expect(pings(0, 60)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  it('leaves no process of a copy that is not complete, or does not fit', async () => {
    const [, spec] = specs as [MachineSpec, MachineSpec];
    await endMachine(spec.folder);
    // The taps are in another place now.
    const { near, far } = places[1]!;
    ip(`-n ${far} link del t1`);
    ip(`-n ${near} tuntap add t1 mode tap`);
    await expect(restoreMachine(spec, createReadStream(copy, { end: 5_000_000 }))).rejects.toThrow('is not complete');
    expect(findMachine(spec.folder)).toEqual([]);
    await expect(restoreMachine({ ...spec, memoryMib: 128 }, createReadStream(copy))).rejects.toThrow('other hardware');
    await expect(restoreMachine(spec, createReadStream(configDisk))).rejects.toThrow(
      'not the copy of a virtual machine',
    );
    expect(findMachine(spec.folder)).toEqual([]);
  });

  it('says why it does not start', async () => {
    const [, spec] = specs as [MachineSpec, MachineSpec];
    const ports = [{ tap: 'nosuch0', mac: macs[0] }];
    await expect(startMachine({ ...spec, configDisk: join(directory, 'nosuch'), ports })).rejects.toThrow(
      /Could not open/,
    );
    await expect(startMachine({ ...spec, image: configDisk })).rejects.toThrow('not the image of a virtual machine');
    expect(findMachine(spec.folder)).toEqual([]);
    expect(existsSync(join(spec.folder, 'kernel'))).toBe(false);
  });

  it('takes along what it has written to its disk', async () => {
    const image = join(directory, 'counting');
    writeFileSync(image, countingDisk());
    const counters = [0, 1].map((which) => {
      const folder = join(directory, `counting-${which}`);
      mkdirSync(folder);
      return { ...specs[1]!, folder, image, memoryMib: 16, ports: [] } satisfies MachineSpec;
    });
    const [here, there] = [counters[0]!, counters[1]!];
    specs.push(...counters);
    const logOf = ({ folder }: MachineSpec) => readFileSync(filesOf(folder).consoleLog, 'latin1');
    await startMachine(here);
    await expect.poll(() => logOf(here), patience).toMatch(/ABC/);
    await copyMachine(here.folder, createWriteStream(copy), { suspend: false, goOn: false });
    const last = logOf(here).charCodeAt(logOf(here).length - 1);
    await endMachine(here.folder);
    await restoreMachine(there, createReadStream(copy));
    await continueMachine(there.folder);
    // It reads what it has written, and adds one.
    await expect.poll(() => logOf(there).charCodeAt(0), patience).toBe((last + 1) % 256);
  });
});

/** A disk whose boot sector, again and again, adds one to the first byte of the next sector and prints it. */
function countingDisk(): Buffer {
  const sector = Buffer.alloc(512);
  Buffer.from(
    // biome-ignore format: an instruction per line
    [
      0x31, 0xc0, // xor ax, ax
      0x8e, 0xd8, // mov ds, ax
      0x8e, 0xc0, // mov es, ax
      0x8e, 0xd0, // mov ss, ax
      0xbc, 0x00, 0x7c, // mov sp, 0x7c00
      0xbb, 0x00, 0x7e, // again: mov bx, 0x7e00
      0xb8, 0x01, 0x02, // mov ax, 0x0201: read a sector
      0xb9, 0x02, 0x00, // mov cx, 2: the second
      0xba, 0x80, 0x00, // mov dx, 0x80: the first disk
      0xcd, 0x13, // int 0x13
      0xfe, 0x06, 0x00, 0x7e, // inc byte [0x7e00]
      0xb8, 0x01, 0x03, // mov ax, 0x0301: write it
      0xb9, 0x02, 0x00, // mov cx, 2
      0xba, 0x80, 0x00, // mov dx, 0x80: the first disk
      0xcd, 0x13, // int 0x13
      0xa0, 0x00, 0x7e, // mov al, [0x7e00]
      0xba, 0xf8, 0x03, // mov dx, 0x3f8
      0xee, // out dx, al
      0xbe, 0x05, 0x00, // mov si, 5: some ticks of 55 ms
      0xf4, // wait: hlt
      0x4e, // dec si
      0x75, 0xfc, // jnz wait
      0xeb, 0xd3, // jmp again
    ],
  ).copy(sector);
  sector.writeUInt16BE(0x55aa, 510);
  const second = Buffer.alloc(512);
  second[0] = 0x40;
  // The firmware wants a cylinder.
  return Buffer.concat([sector, second], 2 ** 21);
}
