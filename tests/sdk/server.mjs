// A Rollcall server for one test file: real processes, the embedded Redis, everything temporary.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

// Each namespace but `public` lacks one thing.
const config = JSON.parse(await readFile(new URL('config.json', import.meta.url), 'utf8'));
const API_KEY = config.http_api.key;
const SECRET = config.client.token.hmac_secret_key;
const PATIENCE_MS = 1000 * Number(process.env.ROLLCALL_TEST_PATIENCE ?? 15);

/** Starts a server with these flags, or else with the configuration, and waits until it is ready. */
export async function startServer(flags) {
  const binary = process.env.TEST_ROLLCALL_BIN;
  const module = process.env.TEST_ROLLCALL_MODULE;
  if (!binary || !module) throw new Error('TEST_ROLLCALL_BIN and TEST_ROLLCALL_MODULE are not set: run ./dev test');
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'rollcall-sdk-'));
  const file = join(dir, 'config.json');
  await writeFile(file, JSON.stringify({ ...config, http_server: { address: '127.0.0.1', port } }));
  const env = { ...process.env, ROLLCALL_ENGINE_EMBEDDED_MODULE: module };
  const log = [];
  const args = flags ? [...flags, '-p', String(port)] : ['-c', file];
  // The kernel kills the server should this process be killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', binary, ...args], { env, cwd: dir });
  child.stdout.on('data', (data) => log.push(data));
  child.stderr.on('data', (data) => log.push(data));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const http = `http://127.0.0.1:${port}`;
  const server = {
    url: `ws://127.0.0.1:${port}/connection/websocket`,
    /** Calls a method of the server API and hands back its result. */
    async api(method, params) {
      const headers = { 'X-API-Key': API_KEY };
      const answer = await fetch(`${http}/api/${method}`, { method: 'POST', headers, body: JSON.stringify(params) });
      return (await answer.json()).result;
    },
    /** What it has written so far. */
    log: () => log.join(''),
    async stop() {
      child.kill('SIGTERM');
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
  try {
    await eventually('the server is ready', async () => {
      if (child.exitCode !== null) throw new Fatal(`the server ended (${child.exitCode})`);
      const answer = await fetch(`${http}/ready`).catch(() => null);
      return answer?.status === 200;
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${error.message}\n${log.join('')}`);
  }
  return server;
}

class Fatal extends Error {}

/** Asks until the answer is truthy, and hands it back. */
export async function eventually(what, probe) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await pause(10);
  }
}

/** A connection token of these claims. */
export function token(claims) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

async function freePort() {
  const listener = createServer();
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

