// The stack under test (that of scripts/demo) and the browser.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const target = process.env.AUTHGATE_TARGET ?? join(root, 'target');

// The modules are installed under target, where an import would not look.
const { chromium } = createRequire(join(target, 'browser/package.json'))('playwright-core');

export async function startStack() {
  const dir = join(target, 'demo-browser');
  const demo = spawn(join(root, 'scripts/demo'), ['--no-build', '--https', '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => demo.on('close', resolve));
  let ready = false;
  demo.stdout.on('data', (text) => { ready ||= String(text).includes('password'); });
  for (const deadline = Date.now() + 60_000; !ready; await sleep(50)) {
    if (demo.exitCode !== null) throw new Error('scripts/demo ended');
    if (Date.now() > deadline) throw new Error('scripts/demo did not get ready');
  }
  return {
    ...JSON.parse(readFileSync(join(dir, 'env.json'), 'utf8')),
    errorLog: () => readFileSync(join(dir, 'logs/error.log'), 'utf8'),
    stop: () => { demo.kill('SIGTERM'); return ended; },
  };
}

export function startBrowser(...more) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ...more,
    ],
  });
}
