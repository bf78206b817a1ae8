/** The one command that moves the delivered files into place, or undoes everything. */
import { VnmError } from '../model/errors.ts';
import { rulePath } from '../vsys/sudo-rule.ts';
import { asRoot } from './delivery.ts';
import { attachCommand } from './installed-files.ts';
import type { NodeSurvey } from './node-survey.ts';
import { nameOf } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';

/**
 * Constant, given to `sh` as its standard input. The rule comes last, and then the login tries it: this reveals a rule
 * that sudo does not read, or an agent that does not start. Each file appears under its name complete, by a rename in
 * its directory.
 */
const script = `
umask 022
staging=$1 lib=$2 policies=$3 slice=$4 login=$5 command=$6 rule=$7
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
done=no placed=''
finish() {
  if [ $done = no ]; then
    for target in $placed; do
      if [ -e "$staging/before-\${target##*/}" ]; then move "$staging/before-\${target##*/}" "$target"; else rm -f "$target"; fi
    done
    rm -rf "$staging"
    rmdir "$policies" "\${policies%/*}" "$lib" 2>/dev/null
  fi
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
fail() { echo "$1" >&2; exit 1; }
# sudo reads no file that has a dot in its name.
move() {
  new="\${2%/*}/.\${2##*/}.new"
  cp -p "$1" "$new" && mv -f "$new" "$2" && return 0
  rm -f "$new"
  return 1
}
put() {
  [ ! -d "$2" ] || fail "$2 is a directory"
  if [ -e "$2" ]; then cp -p "$2" "$staging/before-\${2##*/}" || exit 1; fi
  placed="$2 $placed"
  move "$staging/$1" "$2" || exit 1
}
chown 0:0 "$staging"/* || exit 1
if command -v visudo >/dev/null; then visudo -cf "$staging/rule" >/dev/null || exit 1; fi
mkdir -p "$policies" || exit 1
for file in "$staging"/agent-*.mjs "$staging/node"; do
  if [ -f "$file" ]; then put "\${file##*/}" "$lib/\${file##*/}"; fi
done
put policy "$policies/$slice.json"
put command "$command"
put rule "$rule"
said=$(runuser -u "$login" -- sudo -n "$command" </dev/null 2>&1 >/dev/null) ||
  fail "$login cannot attach with the sudo rule: \${said:-no reason given}"
done=yes
`;

/** Throws VnmError `failed`, which says what did not work; the node is then as before. */
export async function placeFiles(
  session: SshSession,
  survey: NodeSurvey,
  { staging, slice, login }: { staging: string; slice: string; login: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const words = [staging, survey.lib, survey.policyDirectory, slice, login];
  const files = [attachCommand(survey.lib, slice), rulePath(slice)];
  const { code, stderr } = await session.exec(`${asRoot(survey)}sh -s -- ${[...words, ...files].join(' ')}`, {
    stdin: Buffer.from(script),
    signal,
  });
  if (code === 0) return;
  throw new VnmError(
    'failed',
    `the agent could not be installed on ${nameOf(session.target)}: ${stderr.trim() || `exit code ${code}`}`,
    { hint: 'nothing was changed there' },
  );
}
