// What a person does, in a real Chromium, with a real Prometheus behind the gate.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBrowser, startStack, target } from './stack.mjs';

const DEEP = '/graph?g0.expr=up&g0.tab=1';
const LOGIN = /\/authgate\/login/;
const GRAPH = /\/classic\/graph\?(.*&)?g0\.expr=up&g0\.tab=1$/; // where Prometheus leads from DEEP

let stack, browser;
before(async () => { stack = await startStack(); browser = await startBrowser(); });
after(async () => { await browser?.close(); await stack?.stop(); });

let shots = 0;
function screenshot(page, name) {
  const number = String(++shots).padStart(2, '0');
  return page.screenshot({ path: join(target, 'screenshots', `${number}-${name}.png`) });
}

// A new visitor: without cookies, and closed when the test ends.
async function visitor(t, options = {}) {
  const context = await browser.newContext({ baseURL: stack.address, ...options });
  context.setDefaultTimeout(15_000);
  t.after(() => context.close());
  return context;
}

async function fillIn(page, password = stack.password) {
  await page.getByLabel('User name').fill(stack.user);
  await page.getByLabel('Password').fill(password);
}
const press = (page) => page.getByRole('button', { name: 'Sign in' }).click();

async function signIn(page, password) {
  await fillIn(page, password);
  await press(page);
}

async function isLoginPage(page) {
  await page.waitForURL(LOGIN);
  await page.getByLabel('Password').waitFor();
}

// A form sent twice ends the first of two navigations: only the last has to arrive.
async function arrivesAt(page, address) {
  for (const deadline = Date.now() + 30_000; ; ) {
    try {
      return await page.waitForURL(address);
    } catch (error) {
      if (!error.message.includes('ERR_ABORTED') || Date.now() > deadline) throw error;
    }
  }
}

// Prometheus shows the query that was asked for, and its result.
async function showsTheQuery(page) {
  await arrivesAt(page, GRAPH);
  const expression = page.locator('textarea').first();
  await expression.waitFor();
  assert.equal(await expression.inputValue(), 'up');
  // Prometheus has scraped by now or will within seconds; ask again until it has.
  const result = page.getByText('job="node"').first();
  for (const deadline = Date.now() + 30_000; ; await page.reload()) {
    const shown = await result.waitFor({ timeout: 2_000 }).then(() => true, () => false);
    if (shown) return;
    assert.ok(Date.now() < deadline, 'the query has a result');
  }
}

async function wholeRound(t, address, cookieName) {
  const scheme = new URL(address).protocol.slice(0, -1);
  const context = await visitor(t, { baseURL: address, ignoreHTTPSErrors: true });
  const page = await context.newPage();

  await page.goto(DEEP);
  await isLoginPage(page);
  await screenshot(page, `${scheme}-login`);

  await signIn(page, `not-${stack.password}`);
  await page.getByRole('alert').waitFor();
  await isLoginPage(page);
  assert.deepEqual(await context.cookies(), [], 'a wrong password gets no cookie');
  await screenshot(page, `${scheme}-wrong-password`);

  await signIn(page);
  await showsTheQuery(page);
  await screenshot(page, `${scheme}-prometheus`);

  const [cookie, ...others] = (await context.cookies()).filter((c) => !c.name.endsWith('-device'));
  assert.deepEqual(others, []);
  const { name, path, domain, httpOnly, secure, sameSite } = cookie;
  assert.deepEqual({ name, path, domain, httpOnly, secure, sameSite }, {
    name: cookieName, path: '/', domain: '127.0.0.1', httpOnly: true, secure: scheme === 'https',
    sameSite: 'Lax',
  });

  await page.goto('/authgate/logout');
  await screenshot(page, `${scheme}-sign-out`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await isLoginPage(page);
  await page.goto(DEEP);
  await isLoginPage(page);
  await screenshot(page, `${scheme}-signed-out`);
}

test('C38: sign in, see the deep page asked for, sign out', (t) =>
  wholeRound(t, stack.address, 'authgate'));

test('C38: the same over HTTPS, with a __Host- cookie', (t) =>
  wholeRound(t, stack.tls_address, '__Host-authgate'));

test('C38: two tabs, both at the login page', async (t) => {
  const context = await visitor(t);
  const [first, second] = [await context.newPage(), await context.newPage()];
  await first.goto(DEEP);
  await second.goto('/targets?search=');
  await isLoginPage(first);
  await isLoginPage(second);
  await signIn(first);
  await showsTheQuery(first);
  await signIn(second);
  await second.waitForURL(/\/targets/);
  await first.reload();
  await showsTheQuery(first);
});

test('C38: two tabs, sign out in one', async (t) => {
  const context = await visitor(t);
  const [first, second] = [await context.newPage(), await context.newPage()];
  await first.goto(DEEP);
  await signIn(first);
  await showsTheQuery(first);
  await second.goto('/authgate/logout');
  await second.getByRole('button', { name: 'Sign out' }).click();
  await isLoginPage(second);
  await first.goto(DEEP);
  await isLoginPage(first);
  await signIn(first);
  await showsTheQuery(first);
});

test('C38: Back after signing in', async (t) => {
  const page = await (await visitor(t)).newPage();
  await page.goto(DEEP);
  await signIn(page);
  await showsTheQuery(page);
  await page.goBack();
  // Either the browser is led on, or it shows the old form, which still works.
  if (LOGIN.test(page.url())) await signIn(page);
  await showsTheQuery(page);
});

// The page has no script and no secret of its own, so an hour does nothing to it. What can be gone
// meanwhile is everything that the server had in mind.
test('C38: a login page left open for an hour, nginx reloaded meanwhile', async (t) => {
  const page = await (await visitor(t)).newPage();
  await page.goto(DEEP);
  await isLoginPage(page);
  const reloads = () => stack.errorLog().split('gracefully shutting down').length;
  const before = reloads();
  process.kill(stack.nginx_pid, 'SIGHUP');
  for (const deadline = Date.now() + 15_000; reloads() === before; await sleep(50)) {
    assert.ok(Date.now() < deadline, 'nginx reloads');
  }
  await signIn(page);
  await showsTheQuery(page);
});

test('C38: the form sent twice', async (t) => {
  const page = await (await visitor(t)).newPage();
  await page.goto(DEEP);
  await fillIn(page);
  await page.getByRole('button', { name: 'Sign in' }).dblclick({ noWaitAfter: true });
  await showsTheQuery(page);
});

test('the login page needs no JavaScript', async (t) => {
  const context = await visitor(t, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto('/api/v1/status/buildinfo');
  await isLoginPage(page);
  await signIn(page);
  await page.waitForURL('**/api/v1/status/buildinfo');
  await page.getByText('"status":"success"').waitFor();
});

test('the login page asks nobody else for anything and breaks no policy of its own', async (t) => {
  const page = await (await visitor(t)).newPage();
  const asked = [], complaints = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto('/');
  await isLoginPage(page);
  await page.waitForLoadState('networkidle');
  const elsewhere = asked.filter((url) => !url.startsWith(stack.address) && !url.startsWith('data:'));
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(complaints, []);
});

// The file is edited while nginx runs, and put back as it was: the old password holds again then, the old session not.
test('A22: who is signed in learns that the password has changed', async (t) => {
  const page = await (await visitor(t)).newPage();
  await page.goto(DEEP);
  await signIn(page);
  await showsTheQuery(page);
  const users = readFileSync(usersFile());
  t.after(() => writeFileSync(usersFile(), users));
  const another = '$2y$04$ffE3f5EMQcNLmV26nmwDPOO6C2A6kUXDP9EHm4Y49ex0NOvIX0aau';
  writeFileSync(usersFile(), `${stack.user}:${another}\n`);
  // Until each worker has read it, some know no more than that the session has ended.
  const told = page.getByRole('status').getByText('Your password has changed');
  await reloadUntil(page, () => told.isVisible());
  await screenshot(page, 'password-changed');
  writeFileSync(usersFile(), users);
  await reloadUntil(page, async () => {
    if (!LOGIN.test(page.url())) return true;
    await signIn(page);
    await page.waitForLoadState();
    return !LOGIN.test(page.url());
  });
});

const usersFile = () => join(stack.dir, 'users');

async function reloadUntil(page, condition) {
  for (const deadline = Date.now() + 30_000; !(await condition()); await sleep(100)) {
    assert.ok(Date.now() < deadline, 'the edit is seen');
    await page.goto(DEEP);
  }
}

// The last that signs in: it bans this machine.
test('F69: who tries too often is told how long to wait', async (t) => {
  const page = await (await visitor(t)).newPage();
  await page.goto(DEEP);
  const waits = page.getByRole('alert').getByText('Please try again in');
  for (let tries = 0; !(await waits.isVisible()); tries++) {
    assert.ok(tries < 8, 'there is a limit');
    const answer = page.waitForResponse((response) => response.request().method() === 'POST');
    await signIn(page, `not-${tries}-${stack.password}`);
    await answer;
    await page.getByRole('alert').waitFor();
  }
  await screenshot(page, 'limited');
  assert.match(await page.getByRole('alert').innerText(), /5 minutes|\d+ seconds/);
});

test('nginx logged no alert', () => {
  assert.doesNotMatch(stack.errorLog(), /\[(alert|emerg|crit)\]/);
});
