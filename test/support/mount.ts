import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';

/** Puts an empty file system of `size` over a folder until the end of the test; false where mounting is not allowed. */
export function mountSmall(folder: string, size: string): boolean {
  return mount(folder, `size=${size}`);
}

/** Makes a folder refuse every write, for root, too. */
export function mountReadOnly(folder: string): boolean {
  return mount(folder, 'ro');
}

function mount(folder: string, options: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync('umount', [folder]));
  return true;
}
