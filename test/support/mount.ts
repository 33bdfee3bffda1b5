import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Puts a file system over a folder, and gives the function that takes it away; undefined where mounting is not allowed. */
export function mount(folder: string, options: string): (() => void) | undefined {
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return () => void execFileSync('/bin/umount', ['--lazy', folder]);
}

/** Makes what was mounted over a folder refuse every write from now on, or take them again. */
export function remount(folder: string, how: 'ro' | 'rw'): void {
  execFileSync('/bin/mount', ['-o', `remount,${how}`, folder], { stdio: 'ignore' });
}

export function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'notion-mcp-bridge-mount-'));
  const unmount = mount(folder, 'size=4k');
  unmount?.();
  rmdirSync(folder);
  return unmount !== undefined;
}

/** Makes a folder with files in it refuse every write, for root, too; gives the function that ends it. @throws Error */
export function makeReadOnly(folder: string): () => void {
  execFileSync('/bin/mount', ['--bind', folder, folder], { stdio: 'pipe' });
  execFileSync('/bin/mount', ['-o', 'remount,bind,ro', folder], { stdio: 'pipe' });
  return () => void execFileSync('/bin/umount', ['--lazy', folder]);
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
