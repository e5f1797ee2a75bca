// A login server and two applications, each under a name of its own, over HTTP and HTTPS.

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { target } from './stack.mjs';

const PASSWORD = 'canary-password-of-alice';
const HASH = '$2y$04$VaamhVi31m4.W425pmuBMuEfoHh7Wv4wIZPnpeVHZekCsFCnLXs8q';
const KEY = 'first Y2FuYXJ5LWtleS1vZi10aGUtZmlyc3Qtc2lnbmluZy0=';

// The login's form on a page with another policy.
const STRICT = '<form method="post" action="/authgate/login"><input name="rd">'
  + '<input name="username" value="alice"><input name="password" type="password"><button>Go</button></form>';

export async function startHosts() {
  const dir = join(target, 'one-login');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, 'html'), { recursive: true });
  mkdirSync(join(dir, 'logs'));
  writeFileSync(join(dir, 'html/hello.txt'), 'hello from behind the gate\n');
  writeFileSync(join(dir, 'users'), `alice:${HASH}\n`);
  writeFileSync(join(dir, 'keys'), `${KEY}\n`);
  chmodSync(join(dir, 'keys'), 0o600);
  certificate(dir);
  const port = { http: await freePort(), https: await freePort() };
  writeFileSync(join(dir, 'nginx.conf'), configuration(dir, port));

  const log = join(dir, 'logs/error.log');
  const errorLog = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  const args = ['-e', log, '-p', `${dir}/`, '-c', join(dir, 'nginx.conf'), '-g', 'daemon off;'];
  const nginx = spawn('nginx', args, { stdio: 'inherit' });
  const ended = new Promise((resolve) => nginx.on('close', resolve));
  for (const deadline = Date.now() + 20_000; !existsSync(join(dir, 'nginx.pid')); await sleep(20)) {
    if (nginx.exitCode !== null || Date.now() > deadline) throw new Error(`nginx did not start:\n${errorLog()}`);
  }
  return {
    port, errorLog, user: 'alice', password: PASSWORD,
    cookie: { http: 'plain', https: 'secure' },
    stop: () => { nginx.kill('SIGTERM'); return ended; },
  };
}

function certificate(dir) {
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=example.test', '-addext', 'subjectAltName=DNS:*.example.test',
    '-keyout', join(dir, 'certificate.key'), '-out', join(dir, 'certificate.pem'),
  ], { stdio: 'ignore' });
}

// One realm for each scheme: a login page has one address.
function configuration(dir, port) {
  const workers = process.getuid() === 0 ? 'user root;' : '';
  const realm = (name, scheme) => `
    authgate_realm ${name} {
        users ${dir}/users;
        keys  ${dir}/keys;
        limit off;
        cookie       ${name} domain=example.test;
        login_url    ${scheme}://login.example.test:${port[scheme]}/authgate/login;
        return_hosts app.example.test other.example.test;
    }`;
  const server = (name, listen, realmName) => `
    server {
        listen 127.0.0.1:${listen};
        ssl_certificate     ${dir}/certificate.pem;
        ssl_certificate_key ${dir}/certificate.key;
        server_name ${name}.example.test;
        root ${dir}/html;
        authgate ${realmName};
        location = /strict {
            authgate off;
            default_type text/html;
            add_header Content-Security-Policy "form-action 'self'";
            return 200 '${STRICT}';
        }
    }`;
  const servers = ['login', 'app', 'other'].flatMap((name) => [
    server(name, port.http, 'plain'),
    server(name, `${port.https} ssl`, 'secure'),
  ]);
  return `
load_module ${target}/nginx/ngx_http_authgate_module.so;
${workers}
pid ${dir}/nginx.pid;
error_log ${dir}/logs/error.log info;
events { }
http {
    access_log ${dir}/logs/access.log;
    client_body_temp_path ${dir}/tmp-body;
    proxy_temp_path       ${dir}/tmp-proxy;
    fastcgi_temp_path     ${dir}/tmp-fastcgi;
    uwsgi_temp_path       ${dir}/tmp-uwsgi;
    scgi_temp_path        ${dir}/tmp-scgi;
    types { text/plain txt; }
    ${realm('plain', 'http')}
    ${realm('secure', 'https')}
    ${servers.join('\n')}
}
`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
