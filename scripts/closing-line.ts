import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with `N passed, N failed` on a line of its own, for programs that read the output. */
export const closingLine: Reporter = {
  onTestRunEnd(modules, unhandledErrors) {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const passed = states.filter((state) => state === 'passed').length;
    const failed = states.filter((state) => state === 'failed').length;
    const outsideOfTests = modules.flatMap(errorsOutsideOfTests).length + unhandledErrors.length;
    process.stdout.write(`${passed} passed, ${failed + outsideOfTests} failed\n`);
  },
};

/** A file that could not be loaded, or a hook that failed: their tests have not run, and count as nothing. */
function errorsOutsideOfTests(module: TestModule): unknown[] {
  return [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())];
}
