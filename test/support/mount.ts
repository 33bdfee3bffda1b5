import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
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
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync('/bin/umount', [folder]));
  return true;
}

/** Writes until the disk is full, then gives `free` bytes back. */
export async function fillUp(path: string, free: number): Promise<void> {
  const page = Buffer.alloc(4_096);
  let size = 0;
  try {
    for (; ; size += page.length) await writeFile(path, page, { flag: 'a' });
  } catch {
    await writeFile(path, Buffer.alloc(size - free));
  }
}
