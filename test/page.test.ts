import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  accessibilityFaults,
  chromiumPath,
  isTooWide,
  launchChromium,
  openTab,
  photograph,
  type WatchedTab,
} from './support/chromium.ts';
import { codeExchange, openedTab, search } from './support/opened-tab.ts';
import type { UpstreamOptions } from './support/upstream/upstream.ts';

// product.md 7 and 13: the page at the end of a sign-in, in a real Chromium. In CI its absence is a failure.

let browser: Browser;
beforeAll(async () => {
  if (chromiumPath || process.env.CI) browser = await launchChromium();
});
afterAll(() => browser?.close());

async function tabInTest(): Promise<WatchedTab> {
  const tab = await openTab(browser);
  onTestFinished(() => tab.close());
  return tab;
}

/** A sign-in whose consent page is open in Chromium. */
async function atConsent(options: UpstreamOptions = {}) {
  const opened = await openedTab(options, ['--profile', 'work']);
  const tab = await tabInTest();
  await tab.page.goto(opened.url);
  const redirectUri = new URL(new URL(opened.url).searchParams.get('redirect_uri') as string);
  return { ...opened, tab, redirectUri };
}

function press(page: Page, name: 'Allow' | 'Deny'): Promise<void> {
  return page.getByRole('button', { name }).click();
}

function heading(page: Page, name: string): Promise<void> {
  return page.getByRole('heading', { level: 1, name }).waitFor();
}

/** As wide as a laptop, the same at a zoom of 200 %, and as narrow as a phone (WCAG 1.4.10). */
const widths = [1280, 640, 320];

/** Looks at what a tab shows in both schemes and at every width. */
async function look({ page }: WatchedTab, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of widths) {
      await page.setViewportSize({ width, height: 800 });
      expect(await isTooWide(page), `${name} at ${width}`).toBe(false);
      if (width !== 640) await photograph(page, `${name}-${colorScheme}-${width}`);
    }
    expect(await accessibilityFaults(page), `${name} in ${colorScheme}`).toEqual([]);
  }
}

describe.skipIf(!chromiumPath && !process.env.CI)('the page in the browser', () => {
  test('says after Allow who is connected and what to do, asks nobody else, and shows no code', async () => {
    const { upstream, call, tab, redirectUri } = await atConsent();
    const { page } = tab;
    await press(page, 'Allow');
    await heading(page, 'Connected to Ada’s workspace');
    expect(await call).toMatchObject({ isError: false });
    expect(await page.title()).toBe('Connected to Ada’s workspace – notion-mcp-bridge');
    const text = await page.getByRole('main').innerText();
    for (const told of [
      'close this tab',
      'Ada’s workspace',
      new URL(upstream.url).host,
      'work',
      'logout --profile work',
    ])
      expect(text).toContain(told);
    expect(tab.complaints).toEqual([]);
    expect(tab.origins()).toEqual([upstream.origin, redirectUri.origin]);

    expect(page.url()).toBe(`${redirectUri.origin}/result?1`);
    const protocol = await page.context().newCDPSession(page);
    const { entries } = await protocol.send('Page.getNavigationHistory');
    expect(entries.map(({ url }) => new URL(url).pathname)).toEqual(expect.arrayContaining(['/authorize', '/result']));
    expect(entries.filter(({ url }) => url.startsWith(redirectUri.href))).toEqual([]);

    expect(await page.evaluate('document.documentElement.lang')).toBe('en');
    expect(await page.evaluate('document.getAnimations().length')).toBe(0);
    for (const landmark of ['banner', 'main', 'contentinfo'] as const)
      expect(await page.getByRole(landmark).count()).toBe(1);
    await look(tab, 'connected');
  });

  test('says after Deny that nothing was stored, and how to connect later', async () => {
    const { tab, call } = await atConsent();
    await press(tab.page, 'Deny');
    await heading(tab.page, 'Not connected');
    expect((await call).text).toContain('AUTHORIZATION_DENIED');
    expect(await tab.page.getByRole('main').innerText()).toMatch(/nothing was stored[\s\S]*login --profile work/);
    expect(tab.complaints).toEqual([]);
    await look(tab, 'declined');
  });

  test('says what failed, and leads to another try with the keyboard alone', async () => {
    const { upstream, tab, call } = await atConsent();
    const { page } = tab;
    upstream.faults.next(
      'token',
      { kind: 'status', status: 400, body: { error: 'invalid_grant' } },
      { when: codeExchange },
    );
    await press(page, 'Allow');
    await heading(page, 'The sign-in did not work');
    expect(await page.getByRole('main').innerText()).toContain('(invalid_grant)');
    await look(tab, 'failed');

    await page.keyboard.press('Tab');
    const focused = page.locator(':focus-visible');
    expect(await focused.innerText()).toBe('Try again');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    await press(page, 'Allow');
    await heading(page, 'Connected to Ada’s workspace');
    expect(await call).toMatchObject({ isError: false });
    expect(tab.complaints).toEqual([]);
  });

  test('says that the sign-in is finished to a tab that comes back, and what was approved stands', async () => {
    const { tab, bridge, call, redirectUri } = await atConsent();
    const { page } = tab;
    await press(page, 'Allow');
    await heading(page, 'Connected to Ada’s workspace');
    await call;
    await page.goBack();
    await press(page, 'Deny');
    await heading(page, 'This sign-in is finished');
    expect(await page.getByRole('main').innerText()).toContain('status --profile work');
    expect(await search(bridge)).toMatchObject({ isError: false });
    await page.goto(`${redirectUri.href}?code=made-up&state=made-up`);
    await heading(page, 'This sign-in is finished');
    expect(page.url()).not.toContain('made-up');
    expect(tab.complaints).toEqual([]);
    await look(tab, 'finished');

    const response = await page.goto(`${redirectUri.origin}/`);
    expect(response?.status()).toBe(404);
    await heading(page, 'This sign-in is finished');
  });

  test.each([
    ['markup', '<img src=x onerror=alert(1)></style><script>document.title="taken over"</script>'],
    ['a long word', 'Forschungsgemeinschaft'.repeat(8)],
    ['another direction of writing', 'סביבת העבודה של עדה'],
  ])('shows a workspace whose name is %s as it is', async (what, user) => {
    const { tab } = await atConsent({ user });
    const { page } = tab;
    await press(page, 'Allow');
    const name = `${user.charAt(0).toUpperCase()}${user.slice(1)}’s workspace`;
    await heading(page, `Connected to ${name}`);
    expect(await page.getByRole('definition').first().innerText()).toBe(name);
    expect(await page.title()).toBe(`Connected to ${name} – notion-mcp-bridge`);
    expect(tab.complaints).toEqual([]);
    await page.setViewportSize({ width: 320, height: 640 });
    expect(await isTooWide(page)).toBe(false);
    await photograph(page, what.replaceAll(' ', '-'));
  });
});
