import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Paths, programs and signals that not every system with Node.js and an SSH server has. */
const onlyThere = new RegExp(
  [
    String.raw`['"\x60(\s]/(proc|sys|run)\b`,
    String.raw`/dev/(?!null|stdin|fd|tty)\w`,
    String.raw`\b(flock|nsenter|unshare|setsid|setpriv|runuser|chrt|taskset|prlimit|ionice|fuser|sha256sum|visudo)\b`,
    String.raw`\('(ip|tc|nft)'`,
    String.raw`\breadlink -f\b|\bstat -c\b|\bSIGUSR\d|\bSIGPOLL\b`,
  ].join('|'),
);

/** Whole folders that only the kernel data plane and Linux's namespaces need. */
const ofLinux = [
  'agent/dataplane/kernel/',
  'agent/dataplane/planner/',
  'agent/obstacles/',
  'agent/hosts/',
  'agent/inside/',
  'agent/daemons/',
  'agent/guests/',
  'agent/machines/',
];

/** Files with such words, and why a controller, a userspace agent or a userspace testbed does without. */
const allowed = new Map([
  ['agent/armed/processors.ts', 'goes on without the device'],
  ['agent/attach.ts', 'has a lock of its own without flock (daemon-lock.ts)'],
  ['agent/node-lock.ts', 'kernel data plane only'],
  ['agent/paths.ts', 'with root only; without, all is below PL_VNM_DIR'],
  ['agent/realtime.ts', 'goes on without real-time priority'],
  ['agent/surroundings.ts', 'does what the system can do; /proc only where it exists'],
  ['controller/capture.ts', 'reads what programs in routers complain about'],
  ['experiment/control/at.ts', 'control mode at only, which needs Linux'],
  ['experiment/results/environment.ts', 'reads sysctls only where they exist'],
  ['model/bounded-file.ts', 'goes by the path where there is no /proc'],
  ['model/process-start.ts', 'asks ps where there is no /proc'],
  ['testbed/daemon.ts', 'nsenter only with a namespace, in the kernel testbed'],
  ['testbed/dataplane.ts', 'looks at /proc on Linux only'],
  ['testbed/links/manage.ts', 'nsenter only with a namespace, in the kernel testbed'],
  ['testbed/manage.ts', 'takes /run on Linux only'],
  ['testbed/namespaces.ts', 'kernel testbed only'],
  ['testbed/processes.ts', 'asks ps except on Linux'],
  ['testbed/start-relay.ts', 'goes on without real-time priority'],
  ['testbed/underlay.ts', 'kernel testbed only'],
  ['testbed/up.ts', 'OpenSSH servers, in the kernel testbed only'],
  ['transport/admin-survey.ts', 'nodes with root only'],
  ['transport/agent-start.ts', 'nodes with root only; elsewhere `attach` starts the agent'],
  ['transport/agent-uninstall.ts', 'nodes with root only'],
  ['transport/delivery.ts', 'compares sizes only where there is no sha256sum'],
  ['transport/install-script.ts', 'nodes with root only'],
  ['transport/node-survey.ts', 'a hint for nodes with root'],
  ['transport/remote-command.ts', 'programs at end hosts, which need Linux'],
  ['transport/slices-there.ts', 'nodes with root only'],
  ['vsys/clean-start.ts', 'goes on without what the system lacks; attach asks for flock first'],
]);

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (file) => /\.m?[jt]s$/.test(file) && !ofLinux.some((folder) => file.startsWith(folder)),
);

/** The lines with code, which comments do not count as. */
function linesOf(file: string): string[] {
  const text = readFileSync(resolve(src, file), 'utf8').replaceAll(/\/\*\*.*?\*\//gs, '');
  return text.split('\n').filter((line) => !/^\s*(\/\/|#(?!!)|import\b)/.test(line));
}

test('only the listed files use what not every system has', () => {
  const found = files.filter((file) => linesOf(file).some((line) => onlyThere.test(line)));
  expect(found.toSorted()).toEqual([...allowed.keys()].toSorted());
});
