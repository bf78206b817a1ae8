/** Formats the result of a soak for people. */
import { table } from '../../src/cli/output.ts';
import type { StoredEvent } from '../../src/store/events.ts';
import type { Incident } from './incidents.ts';
import { quarters } from './samples.ts';
import type { SoakResult } from './soak.ts';

/** How long after the end of an incident events about it are expected. */
const afterMs = 10_000;

/** Returns the events that reported something down outside all incidents. */
function falseAlarms({ events, incidents }: Pick<SoakResult, 'events' | 'incidents'>): StoredEvent[] {
  return events.filter(({ kind, at }) => kind === 'health-down' && !isDuring(incidents, at));
}

function isDuring(incidents: readonly Incident[], at: number): boolean {
  return incidents.some(({ fromMs, toMs }) => at >= fromMs && at <= toMs + afterMs);
}

/** Returns the time from the start of an incident to the first event of a kind after it. */
function secondsTo(incident: Incident, events: readonly StoredEvent[], kind: string): number | undefined {
  const event = events.find(
    (one) => one.kind === kind && one.at >= incident.fromMs && one.at <= incident.toMs + 60_000,
  );
  return event === undefined ? undefined : (event.at - incident.fromMs) / 1000;
}

export function soakReport(result: SoakResult): string {
  const { stretches, incidents, migrations, jobRuns, events, samples, exitCode, differences } = result;
  const sum = (isHurt: boolean, key: 'sent' | 'lost' | 'reordered' | 'duplicated') =>
    stretches.filter((stretch) => stretch.isHurt === isHurt).reduce((total, stretch) => total + stretch[key], 0);
  const seconds = (value: number | undefined) => value?.toFixed(1) ?? '-';
  const megabytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
  const suspicions = events.filter(({ kind, at }) => kind === 'health-suspect' && !isDuring(incidents, at)).length;
  const lines = [
    table(
      ['flows', 'sent', 'lost', 'duplicated', 'reordered'],
      [false, true].map((isHurt) => [
        isHurt ? 'crossing a node during an incident' : 'all others',
        sum(isHurt, 'sent'),
        sum(isHurt, 'lost'),
        sum(isHurt, 'duplicated'),
        sum(isHurt, 'reordered'),
      ]),
    ),
    table(
      ['incident', 'node', 'suspect after s', 'down after s', 'repaired after s'],
      incidents.map((incident) => [
        incident.what,
        incident.node,
        seconds(secondsTo(incident, events, 'health-suspect')),
        seconds(secondsTo(incident, events, 'health-down')),
        seconds(secondsTo(incident, events, 'repaired')),
      ]),
    ),
    table(
      ['service', 'first quarter', 'second', 'third', 'last'],
      (
        [
          ['memory MB', 'rssBytes', megabytes],
          ['heap after collection MB', 'heapBytes', megabytes],
          ['open files', 'open', String],
          ['database MB', 'databaseBytes', megabytes],
        ] as const
      ).map(([name, key, show]) => [name, ...quarters(samples, key).map(show)]),
    ),
    `migrations: ${counts(migrations)}; runs of the job: ${counts(jobRuns)}`,
    `false alarms: ${falseAlarms(result).length} down, ${suspicions} briefly suspect`,
    `left over at the end: ${differences}; the service ended with exit code ${exitCode}`,
    '',
    'repairs and reports about nodes:',
    ...events
      .filter(({ kind }) => /^(repair|health-down|agent-started|job-)/.test(kind))
      .map(({ at, kind, message }) => `  ${new Date(at).toISOString().slice(11, 23)} ${kind}: ${message}`),
  ];
  return lines.join('\n\n').replace(/\n\n {2}/g, '\n  ');
}

function counts(groups: Readonly<Record<string, number>>): string {
  const list = Object.entries(groups).map(([name, count]) => `${count} ${name}`);
  return list.length === 0 ? 'none' : list.join(', ');
}
