import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const all = 'test/**/*.test.ts';
/** Whole programs on testbeds of their own. */
const programs = ['test/system/**', 'test/chaos/**'];
const patience = { testTimeout: 240_000, hookTimeout: 240_000 };
/** Nothing else runs in CI, and tests that make nodes by the dozen do not get into each other's way there. */
const isAlone = process.env.CI === 'true';

/** What mostly waits begins first, so that the others run beside it. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => Number(moduleId.includes('/test/soak/'));
    return (await super.sort(files)).toSorted((a, b) => isLong(b) - isLong(a));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...patience,
          name: 'parts',
          include: [all],
          exclude: programs,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...patience,
          name: 'programs',
          include: programs.map((directory) => `${directory}/*.test.ts`),
          maxWorkers: isAlone ? 1 : 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
