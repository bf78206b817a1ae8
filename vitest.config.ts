import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // Nothing else runs in CI, and tests that make nodes by the dozen do not get into each other's way there.
    maxWorkers: process.env.CI === 'true' ? 1 : 2,
  },
});
