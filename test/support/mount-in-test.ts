import { onTestFinished } from 'vitest';
import { mount } from './mount.ts';

/** Puts an empty file system of `size` over a folder until the end of the test; false where mounting is not allowed. */
export function mountSmall(folder: string, size: string): boolean {
  return mountInTest(folder, `size=${size}`);
}

/** Makes a folder refuse every write, for root, too. */
export function mountReadOnly(folder: string): boolean {
  return mountInTest(folder, 'ro');
}

function mountInTest(folder: string, options: string): boolean {
  const unmount = mount(folder, options);
  if (unmount) onTestFinished(unmount);
  return unmount !== undefined;
}
