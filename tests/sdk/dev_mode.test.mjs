// What the development mode prints, pasted as it is.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { eventually, startServer } from './server.mjs';

const run = promisify(execFile);
// Beside this file, so that the snippet finds the packages that it imports.
const snippet = new URL('snippet-under-test.mjs', import.meta.url);

let server;
let printed;

before(async () => {
  server = await startServer(['--dev']);
  printed = await eventually('the text is printed', () => /Ctrl-C/.test(server.log()) && server.log());
});
after(async () => {
  await rm(snippet, { force: true });
  await server?.stop();
});

/** Runs the printed command that calls a method, in a shell. */
async function paste(method) {
  const line = printed.split('\n').find((line) => line.includes('curl') && line.endsWith(`/api/${method}`));
  assert.ok(line, `no line for ${method} in:\n${printed}`);
  const { stdout } = await run('sh', ['-c', line]);
  assert.ok(stdout.endsWith('\n'), 'the prompt starts on a line of its own');
  return JSON.parse(stdout);
}

test('the snippet joins, and every line answers', async () => {
  const from = printed.indexOf('  import {');
  const to = printed.indexOf('\nCtrl-C');
  await writeFile(snippet, printed.slice(from, to).replace(/^  /gm, ''));
  const pasted = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, snippet.pathname]);
  try {
    const lines = createInterface({ input: pasted.stdout })[Symbol.asyncIterator]();
    const until = async (word) => {
      for (;;) {
        const { value, done } = await lines.next();
        assert.ok(!done, `the snippet ended before it said ${word}`);
        if (value.includes(word)) return value;
      }
    };
    assert.match(await until('joined'), /user: '42'/);
    await until('here:');
    const { result } = await paste('presence');
    assert.deepEqual(Object.values(result.presence).map(({ user }) => user), ['42']);
    assert.deepEqual((await paste('presence_stats')).result, { num_clients: 1, num_users: 1 });
    assert.deepEqual(await paste('publish'), { result: {} });
    assert.match(await until('said'), /hello/);
    const [status] = (await paste('get_user_status')).result.statuses;
    assert.equal(status.user, '42');
    assert.ok(status.online > 0);
  } finally {
    pasted.kill('SIGKILL');
    await once(pasted, 'exit');
  }
});
