// A real Chromium, driven through scenes: a JSON array of steps on stdin, a JSON array of what was seen on stdout.
import { chromium } from 'playwright-core';

const steps = JSON.parse(await new Promise((resolve) => {
  let text = '';
  process.stdin.on('data', (chunk) => { text += chunk; }).on('end', () => resolve(text));
}));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const contexts = {};
const seen = [];

async function page(name) {
  if (!contexts[name]) {
    const context = await browser.newContext();
    context.setDefaultTimeout(15000);
    contexts[name] = await context.newPage();
  }
  return contexts[name];
}

const acts = {
  async goto(at, step) { await at.goto(step.url); },
  // Log in at oidc-provider's own pages: a name, any password, and consent.
  async login(at, step) {
    if (await at.locator('input[name=login]').count()) {
      await at.fill('input[name=login]', step.as);
      await at.fill('input[name=password]', 'any');
      await at.click('button[type=submit]');
    }
    await at.waitForLoadState();
    if (await at.locator('form button[type=submit]').count()) {
      await at.click('button[type=submit]');
      await at.waitForLoadState();
    }
  },
  // A form on the current page, whatever its site, that posts itself.
  async post(at, step) {
    await at.evaluate(({ url, fields }) => {
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', action: url });
      for (const [name, value] of Object.entries(fields)) {
        form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
      }
      document.body.append(form);
      form.submit();
    }, step);
    await at.waitForURL((url) => url.href.startsWith(step.url));
    await at.waitForLoadState();
  },
  async cancel(at) { await at.click('a[href$="/abort"]'); await at.waitForLoadState(); },
  async look(at) {
    const cookies = await at.context().cookies();
    seen.push({ url: at.url(), text: await at.evaluate(() => document.body.innerText), cookies });
  },
};
try {
  for (const step of steps) await acts[step.do](await page(step.in ?? 'one'), step);
  console.log(JSON.stringify(seen));
} catch (error) {
  const at = Object.values(contexts)[0];
  console.log(JSON.stringify({ failed: String(error), at: at?.url(), text: at ? await at.evaluate(() => document.body?.innerText ?? '') : '', seen }));
} finally {
  await browser.close();
}
