// Draws assets/icon.png, the icon of the MCPB bundle, from assets/icon.svg, with the Chromium of this machine.
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const size = 512;

const svg = await readFile('assets/icon.svg', 'utf8');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
const page = await browser.newPage({ viewport: { width: size, height: size } });
await page.setContent(`<!doctype html><style>body{margin:0}svg{display:block}</style>${svg}`);
await page.screenshot({ path: 'assets/icon.png', omitBackground: true });
await browser.close();
