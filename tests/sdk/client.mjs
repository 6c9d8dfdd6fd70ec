// A client in a process of its own: `node client.mjs URL TOKEN CHANNEL` says its id once it is in
// the channel, and stays until it is killed.

import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const [url, token, channel] = process.argv.slice(2);
const client = new Centrifuge(url, { token, websocket: WebSocket });
let id;
client.on('connected', (context) => (id = context.client));
const subscription = client.newSubscription(channel);
subscription.on('subscribed', () => console.log(id));
subscription.subscribe();
client.connect();
