import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

const rotateAt = 1024 * 1024;

/**
 * A log file beside the store, because clients lose stderr (product.md 10): 0600, one older generation.
 * Logging never stops the bridge: a file that cannot be written is given up in silence.
 */
export function createLogFile(folder: string, kind: string): (line: string) => void {
  const logs = join(folder, 'logs');
  const path = join(logs, `${kind}.log`);
  let usable: boolean | undefined;
  const prepare = () => {
    mkdirSync(logs, { recursive: true, mode: 0o700 });
    return true;
  };
  const rotate = () => {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= rotateAt) return;
    try {
      renameSync(path, `${path}.1`);
    } catch {
      // Another process rotated it a moment ago.
    }
  };
  return (line) => {
    if (usable === false) return;
    try {
      usable ??= prepare();
      rotate();
      appendFileSync(path, line, { mode: 0o600 });
    } catch {
      usable = false;
    }
  };
}
