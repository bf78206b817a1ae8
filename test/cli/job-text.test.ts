import { afterEach, beforeEach, expect, test } from 'vitest';
import { jobListText, jobText } from '../../src/cli/job-text.ts';
import { addJob } from '../../src/service/jobs/actions.ts';
import { jobView } from '../../src/service/jobs/view.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { gallery } from '../support/slices.ts';

const nowMs = Date.parse('2026-11-25T12:00:00Z');
let store: Store;

beforeEach(() => {
  store = openStore(':memory:');
  store.slices.save(readSlice(gallery('three-node')));
});

afterEach(() => store.close());

test('a job that moves one router is shown with the router, its nodes and the options of its method', () => {
  const job = addJob(
    store,
    {
      ...{ name: 'leave', slice: 'three', router: 'a', to: ['p4', 'p1'] },
      ...{ cron: '0 3 * * 1', timezone: 'UTC', options: { method: 'vroom', controlPlane: 'restart', parallel: 2 } },
    },
    nowMs,
  );
  const view = jobView(store, job, nowMs);
  expect(view).toMatchObject({ router: 'a', to: ['p4', 'p1'] });
  const text = jobText(view, 'no service');
  expect(text).toContain('  moves        three router a to p4, p1 in turn\n');
  expect(text).toContain('  migration    --method vroom --control gateway --control-plane restart --parallel 2 ');
  expect(jobListText([view], 'no service')).toContain('leave  three router a to p4, p1 in turn  ');
});
