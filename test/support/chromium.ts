import { accessSync, constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Screenshots of a run, to look at; not in git. */
const gallery = new URL('../../artefacts/pages', import.meta.url).pathname;

/** A Chromium of this machine; undefined where there is none. `.ci/run` installs Debian's. */
export const chromiumPath = findChromium();

function findChromium(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const places = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Headless, and unable to look up any name: what is not on this machine is not reached. */
export function launchChromium(): Promise<Browser> {
  const nowhere = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1';
  return chromium.launch({ executablePath: chromiumPath as string, args: [nowhere] });
}

/** A tab, and everything that went on in it besides what it shows. */
export interface WatchedTab {
  page: Page;
  /** Origins of all requests, failed ones included. */
  origins(): string[];
  /** What the console and the page complain of; violations of the security policy are there, too. */
  complaints: string[];
  close(): Promise<void>;
}

export async function openTab(browser: Browser): Promise<WatchedTab> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const origins = new Set<string>();
  const complaints: string[] = [];
  page.on('request', (request) => void origins.add(new URL(request.url()).origin));
  page.on('console', (message) => void complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => void complaints.push(String(error)));
  return { page, origins: () => [...origins], complaints, close: () => context.close() };
}

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe finds against WCAG 2.2 A and AA, each with its elements. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>(`axe.run({ runOnly: ${JSON.stringify(rules)} })`);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Is anything cut off, or sticks out to the side? */
export function isTooWide(page: Page): Promise<boolean> {
  // of what stands in a line, Chromium gives no width
  const overflows = '(element) => element.clientWidth > 0 && element.scrollWidth > element.clientWidth';
  return page.evaluate(`[...document.querySelectorAll('html, body, body *')].some(${overflows})`);
}

export async function photograph(page: Page, name: string): Promise<void> {
  await mkdir(gallery, { recursive: true });
  await page.screenshot({ path: join(gallery, `${name}.png`), fullPage: true });
}
