/** The texts of the Debian package. */
import type { InstalledPackage } from './production.ts';

const maintainer = 'The PL-VNM authors <pl-vnm@localhost>';

/** `installedKiB`: what the package takes when it is installed. */
export function controlText({
  version,
  architecture,
  installedKiB,
}: {
  readonly version: string;
  readonly architecture: string;
  readonly installedKiB: number;
}): string {
  return `Package: pl-vnm
Version: ${version}
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: ${installedKiB}
Depends: libc6 (>= 2.28), libstdc++6
Recommends: iproute2, iputils-ping, openssh-client, util-linux
Suggests: tcpdump
Section: net
Priority: optional
Description: moves a running virtual network between hosts
 PL-VNM sets a virtual network up on hosts that it reaches over SSH, and moves
 it to other hosts while its end hosts send, without their noticing.
 .
 The package brings its own Node.js, which no other program uses.
`;
}

/** In the format of Debian's machine-readable copyright files, 1.0. */
export function copyrightText(license: string, packages: readonly InstalledPackage[], nodeVersion: string): string {
  const holders = license.split('\n').find((line) => line.startsWith('Copyright'))!;
  const body = license.slice(license.indexOf('Permission')).trimEnd();
  const indented = body.split('\n').map((line) => (line === '' ? ' .' : ` ${line}`));
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: PL-VNM
Comment: The packages below /usr/lib/pl-vnm/node_modules have their own licenses,
 with the texts and holders in their folders:
${packages.map(({ name, version, license }) => ` ${name} ${version}: ${license}`).join('\n')}
 .
 /usr/lib/pl-vnm/bin/node is Node.js ${nodeVersion} (MIT), which contains other
 software; https://github.com/nodejs/node/blob/${nodeVersion}/LICENSE has all texts.

Files: *
${holders.replace(/^Copyright \(c\)/, 'Copyright:')}
License: MIT

License: MIT
${indented.join('\n')}
`;
}

export function changelogText(version: string, at: Date): string {
  return `pl-vnm (${version}) unstable; urgency=medium

  * Built from the sources; changelog.gz has what changed.

 -- ${maintainer}  ${at.toUTCString().replace('GMT', '+0000')}
`;
}
