// One login for many hosts, in a real Chromium: names under example.test are this machine.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { startBrowser, target } from './stack.mjs';
import { startHosts } from './hosts.mjs';

let hosts, browser;
before(async () => {
  hosts = await startHosts();
  browser = await startBrowser('--host-resolver-rules=MAP *.example.test 127.0.0.1');
});
after(async () => { await browser?.close(); await hosts?.stop(); });

const FORM = /^https?:\/\/login\.example\.test:\d+\/authgate\/login\?rd=/;

async function visitor(t) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(15_000);
  t.after(() => context.close());
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (message) => page.complaints.push(message.text()));
  return page;
}

async function signIn(page) {
  await page.waitForURL(FORM);
  await page.getByLabel('User name').fill(hosts.user);
  await page.getByLabel('Password').fill(hosts.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function shows(page, address) {
  await page.waitForURL(address);
  await page.getByText('hello from behind the gate').waitFor();
}

function refused(page) {
  return page.complaints.filter((text) => /Content Security Policy/i.test(text));
}

for (const scheme of ['http', 'https']) {
  const address = (host, path) => `${scheme}://${host}.example.test:${hosts.port[scheme]}${path}`;

  test(`C38: ${scheme}: sign in at login.example.test, land on app.example.test`, async (t) => {
    const page = await visitor(t);
    const deep = address('app', '/hello.txt?q=a%20b&x=//y');
    await page.goto(deep);
    await signIn(page);
    await shows(page, deep);
    await page.screenshot({ path: join(target, 'screenshots', `one-login-${scheme}.png`) });

    const cookies = (await page.context().cookies()).filter((it) => it.name === hosts.cookie[scheme]);
    assert.deepEqual(cookies.map(({ domain, httpOnly, secure }) => ({ domain, httpOnly, secure })),
      [{ domain: '.example.test', httpOnly: true, secure: scheme === 'https' }]);

    const other = address('other', '/hello.txt');
    await page.goto(other);
    await shows(page, other);
    assert.deepEqual(refused(page), []);
  });

  test(`C38: ${scheme}: a wrong password first`, async (t) => {
    const page = await visitor(t);
    const deep = address('app', '/hello.txt');
    await page.goto(deep);
    await page.waitForURL(FORM);
    await page.getByLabel('User name').fill(hosts.user);
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Password').fill(hosts.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await shows(page, deep);
  });

  test(`C38: ${scheme}: sign out on app.example.test, everywhere`, async (t) => {
    const page = await visitor(t);
    await page.goto(address('app', '/hello.txt'));
    await signIn(page);
    await shows(page, address('app', '/hello.txt'));
    await page.goto(address('app', '/authgate/logout'));
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(address('login', '/authgate/login'));
    await page.getByLabel('Password').waitFor();
    await page.goto(address('other', '/hello.txt'));
    await page.waitForURL(FORM);
    assert.deepEqual(refused(page), []);
  });
}

// The policy of the login page is what makes the difference: under one that names nobody else Chromium stays.
test('C40: from a form that may lead nowhere else Chromium does not leave', async (t) => {
  const page = await visitor(t);
  const app = `http://app.example.test:${hosts.port.http}/hello.txt`;
  await page.goto(`http://login.example.test:${hosts.port.http}/strict`);
  await page.locator('[name=rd]').fill(app);
  await page.locator('[name=password]').fill(hosts.password);
  const complaint = page.waitForEvent('console', (message) => /form-action/.test(message.text()));
  await page.getByRole('button').click({ noWaitAfter: true });
  await complaint;
  assert.doesNotMatch(page.url(), /app\.example\.test/);
});

test('nginx logged no alert', () => {
  assert.doesNotMatch(hosts.errorLog(), /\[(alert|emerg|crit)\]/);
});
