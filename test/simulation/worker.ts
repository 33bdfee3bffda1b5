import { type RunOptions, runSimulation } from './run.ts';

// Every signal that aborts makes an error, and every error would look at the stack.
Error.stackTraceLimit = 0;

// One run after the other, in a process whose random numbers and clocks belong to the simulation.
process.on('message', async (options: RunOptions) => {
  process.send?.(await runSimulation(options));
});
// An interrupt in the terminal reaches everybody: the one who asked ends the pool.
process.on('SIGINT', () => undefined);
process.once('disconnect', () => process.exit());
