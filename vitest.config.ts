import { defineConfig } from 'vitest/config';
import { closingLine } from './scripts/closing-line.ts';

export default defineConfig({
  test: {
    reporters: ['default', closingLine],
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: the stories spawn several bridges each, so two test files side by side already fill the machine.
    maxWorkers: 2,
    // Fleets spend most of their time waiting: two of them share a worker.
    maxConcurrency: 2,
  },
});
