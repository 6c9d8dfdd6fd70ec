// The official JavaScript SDK against a real server.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

import { eventually, startServer, token } from './server.mjs';

let server;
let clients = [];
let channels = 0;

before(async () => (server = await startServer()));
after(async () => server?.stop());
afterEach(() => {
  for (const client of clients) client.disconnect();
  clients = [];
});

/** A channel that no other test uses. */
const fresh = (namespace = 'public') => `${namespace}:${(channels += 1)}`;

/** A connected client, with its id. */
async function connect(claims) {
  const client = new Centrifuge(server.url, { token: token(claims), websocket: WebSocket });
  clients.push(client);
  const connected = new Promise((resolve) => client.once('connected', resolve));
  client.connect();
  return { client, id: (await connected).client };
}

/** A subscription that is in place, and what it heard of others. */
async function subscribe(client, channel) {
  const subscription = client.newSubscription(channel);
  const heard = [];
  subscription.on('join', ({ info }) => heard.push({ join: info }));
  subscription.on('leave', ({ info }) => heard.push({ leave: info }));
  subscription.subscribe();
  await subscription.ready();
  return { subscription, heard };
}

/** Everyone in the channel; the SDK keeps the spelling of the wire beside its own. */
async function present(subscription) {
  const { clients } = await subscription.presence();
  const entries = Object.entries(clients);
  return Object.fromEntries(entries.map(([id, { user, client, connInfo }]) => [id, { user, client, connInfo }]));
}

test('two clients see each other, their infos, and who comes and goes', async () => {
  const channel = fresh();
  const ann = await connect({ sub: 'ann', info: { name: 'Ann' } });
  const a = await subscribe(ann.client, channel);
  const annInfo = { user: 'ann', client: ann.id, connInfo: { name: 'Ann' } };
  await eventually('the own join', () => a.heard.length === 1);
  assert.deepEqual(a.heard, [{ join: annInfo }]);

  const bob = await connect({ sub: 'bob', info: { name: 'Bob' } });
  const b = await subscribe(bob.client, channel);
  const bobInfo = { user: 'bob', client: bob.id, connInfo: { name: 'Bob' } };
  await eventually("bob's join", () => a.heard.length === 2);
  assert.deepEqual(a.heard[1], { join: bobInfo });
  for (const { subscription } of [a, b]) {
    assert.deepEqual(await present(subscription), { [ann.id]: annInfo, [bob.id]: bobInfo });
    assert.deepEqual(await subscription.presenceStats(), { numClients: 2, numUsers: 2 });
  }

  b.subscription.unsubscribe();
  await eventually("bob's leave", () => a.heard.length === 3);
  assert.deepEqual(a.heard[2], { leave: bobInfo });
  assert.deepEqual(await a.subscription.presenceStats(), { numClients: 1, numUsers: 1 });
  assert.ok(!b.heard.some(({ leave }) => leave?.client === bob.id), 'nobody sees its own leave');
});

test('subscriptions of the token are there at once', async () => {
  const channel = fresh();
  const heard = [];
  const claims = { sub: 'ann', channels: [channel] };
  const client = new Centrifuge(server.url, { token: token(claims), websocket: WebSocket });
  clients.push(client);
  client.on('join', (context) => heard.push(context));
  client.connect();
  await client.ready();
  await eventually('the own join', () => heard.length === 1);
  assert.equal(heard[0].channel, channel);
  assert.equal(heard[0].info.user, 'ann');
  const { clients: present } = await client.presence(channel);
  assert.equal(Object.keys(present).length, 1);
});

test('a client whose process is killed leaves', async () => {
  const channel = fresh();
  const ann = await connect({ sub: 'ann' });
  const { subscription, heard } = await subscribe(ann.client, channel);
  const script = new URL('client.mjs', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, server.url, token({ sub: 'bob' }), channel]);
  const [line] = await once(child.stdout, 'data');
  const id = line.toString().trim();
  await eventually("bob's join", () => heard.some(({ join }) => join?.client === id));
  assert.equal((await subscription.presenceStats()).numClients, 2);
  child.kill('SIGKILL');
  await eventually("bob's leave", () => heard.some(({ leave }) => leave?.client === id));
  assert.deepEqual(await subscription.presenceStats(), { numClients: 1, numUsers: 1 });
});

test('update_user_status moves active and leaves online', async () => {
  const user = 'a user who becomes active';
  const { client } = await connect({ sub: user });
  const status = async () => (await server.api('get_user_status', { users: [user] })).statuses[0];
  await eventually('online', async () => (await status()).online);
  assert.equal((await status()).active, undefined);
  const result = await client.rpc('update_user_status', {});
  assert.ok(result.data === undefined || Object.keys(result.data).length === 0);
  const { active, online } = await status();
  const now = Date.now() / 1000;
  assert.ok(Math.abs(active - now) < 3 && Math.abs(online - now) < 3, `${active}, ${online}, ${now}`);
});

test('what a client may not do is refused with its code', async () => {
  const { client } = await connect({ sub: 'ann' });
  const refused = (channel) => {
    const subscription = client.newSubscription(channel);
    const end = new Promise((resolve) => subscription.once('unsubscribed', resolve));
    subscription.subscribe();
    return end;
  };
  assert.equal((await refused(fresh('deny'))).code, 103);
  assert.equal((await refused(fresh('nosuch'))).code, 102);
  const secret = await subscribe(client, fresh('secret'));
  await assert.rejects(secret.subscription.presence(), { code: 103 });
  await assert.rejects(secret.subscription.presenceStats(), { code: 103 });
  const off = await subscribe(client, fresh('nopresence'));
  await assert.rejects(off.subscription.presence(), { code: 108 });
  await assert.rejects(client.presence(fresh('nosuch')), { code: 102 });
  await assert.rejects(client.presence(fresh()), { code: 103 });
  await assert.rejects(client.rpc('nope', {}), { code: 104 });
});

test('a token that is not ours ends the connection for good', async () => {
  const client = new Centrifuge(server.url, { token: 'eyJ.garbage.token', websocket: WebSocket });
  clients.push(client);
  const end = new Promise((resolve) => client.once('disconnected', resolve));
  client.connect();
  assert.equal((await end).code, 3500);
});

test('a subscription that asks to recover is told that it must load anew', async () => {
  const { client } = await connect({ sub: 'ann' });
  const subscription = client.newSubscription(fresh(), { since: { offset: 3, epoch: 'before' } });
  const subscribed = new Promise((resolve) => subscription.once('subscribed', resolve));
  subscription.subscribe();
  const { wasRecovering, recovered } = await subscribed;
  assert.deepEqual({ wasRecovering, recovered }, { wasRecovering: true, recovered: false });
});

test('a token with other channels makes the SDK connect anew with them', async () => {
  const [before, after] = [fresh(), fresh()];
  const [exp, sub] = [Math.floor(Date.now() / 1000) + 2, 'ann'];
  const client = new Centrifuge(server.url, {
    token: token({ sub, exp, channels: [before] }),
    getToken: async () => token({ sub, channels: [after] }),
    websocket: WebSocket,
  });
  clients.push(client);
  const told = [];
  client.on('connecting', ({ code }) => told.push(code));
  client.on('subscribed', ({ channel }) => told.push(channel));
  client.on('unsubscribed', ({ channel }) => told.push(`no ${channel}`));
  client.connect();
  await eventually('the new channel instead of the old one', () => told.length === 5);
  assert.deepEqual(told.slice(0, 3), [0, before, 3010]);
  assert.deepEqual(new Set(told.slice(3)), new Set([`no ${before}`, after]));
});
