"""A client in a process of its own: `client.py URL TOKEN CHANNEL` says its id once it is in the
channel, and stays until it is killed."""

import asyncio
import sys

from centrifuge import Client, ClientEventHandler


class Events(ClientEventHandler):
    """Remembers the client id."""

    client = None

    async def on_connected(self, ctx):
        self.client = ctx.client


async def main(url, token, channel):
    """Enters the channel and stays."""
    events = Events()
    client = Client(url, events=events, token=token, proxy=None)
    await client.connect()
    subscription = client.new_subscription(channel)
    await subscription.subscribe()
    await subscription.ready()
    print(events.client, flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
