"""The official Python SDK against a real server."""

import asyncio
import itertools
import os
import pathlib
import sys
import time
import unittest

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ClientInfo,
    ReplyError,
    SubscriptionEventHandler,
)
from server import PATIENCE, Server, token

CLIENT = pathlib.Path(__file__).with_name("client.py")


class ClientEvents(ClientEventHandler):
    """What a client heard."""

    def __init__(self):
        self.client = None
        self.heard = []
        self.disconnected = asyncio.get_running_loop().create_future()

    async def on_connected(self, ctx):
        self.client = ctx.client

    async def on_disconnected(self, ctx):
        if not self.disconnected.done():
            self.disconnected.set_result(ctx.code)

    async def on_join(self, ctx):
        self.heard.append(("join", ctx.channel, ctx.info.user))


class SubscriptionEvents(SubscriptionEventHandler):
    """What a subscription heard of others."""

    def __init__(self):
        self.heard = []
        self.unsubscribed = asyncio.get_running_loop().create_future()

    async def on_join(self, ctx):
        self.heard.append(("join", ctx.info))

    async def on_leave(self, ctx):
        self.heard.append(("leave", ctx.info))

    async def on_unsubscribed(self, ctx):
        if not self.unsubscribed.done():
            self.unsubscribed.set_result(ctx.code)


class PythonSdk(unittest.IsolatedAsyncioTestCase):
    """Each test uses channels of its own on one server."""

    channels = itertools.count()

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def fresh(self, namespace="public"):
        """A channel that no other test uses."""
        return f"{namespace}:{next(self.channels)}"

    async def connect(self, claims):
        """A connected client."""
        events = ClientEvents()
        client = Client(self.server.url, events=events, token=token(claims), proxy=None)
        self.addAsyncCleanup(client.disconnect)
        await client.connect()
        await client.ready()
        await self.eventually("the client id", lambda: events.client)
        return client, events

    async def subscribe(self, client, channel):
        """A subscription that is in place."""
        events = SubscriptionEvents()
        subscription = client.new_subscription(channel, events=events)
        await subscription.subscribe()
        await subscription.ready()
        return subscription, events

    async def eventually(self, what, probe):
        """Asks until the answer is truthy."""
        deadline = time.monotonic() + PATIENCE
        while not probe():
            self.assertLess(time.monotonic(), deadline, f"not in time: {what}")
            await asyncio.sleep(0.01)

    async def test_two_clients_see_each_other_and_who_comes_and_goes(self):
        channel = self.fresh()
        ann, ann_events = await self.connect({"sub": "ann", "info": {"name": "Ann"}})
        ann_room, ann_heard = await self.subscribe(ann, channel)
        ann_info = ClientInfo(ann_events.client, "ann", {"name": "Ann"}, None)
        await self.eventually("the own join", lambda: len(ann_heard.heard) == 1)
        self.assertEqual(ann_heard.heard, [("join", ann_info)])

        bob, bob_events = await self.connect({"sub": "bob", "info": {"name": "Bob"}})
        bob_room, bob_heard = await self.subscribe(bob, channel)
        bob_info = ClientInfo(bob_events.client, "bob", {"name": "Bob"}, None)
        await self.eventually("bob's join", lambda: len(ann_heard.heard) == 2)
        self.assertEqual(ann_heard.heard[1], ("join", bob_info))
        everyone = {ann_info.client: ann_info, bob_info.client: bob_info}
        for room in (ann_room, bob_room):
            self.assertEqual((await room.presence()).clients, everyone)
            stats = await room.presence_stats()
            self.assertEqual((stats.num_clients, stats.num_users), (2, 2))

        await bob_room.unsubscribe()
        await self.eventually("bob's leave", lambda: len(ann_heard.heard) == 3)
        self.assertEqual(ann_heard.heard[2], ("leave", bob_info))
        self.assertEqual((await ann_room.presence_stats()).num_clients, 1)
        self.assertNotIn(("leave", bob_info), bob_heard.heard)

    async def test_subscriptions_of_the_token_are_there_at_once(self):
        channel = self.fresh()
        client, events = await self.connect({"sub": "ann", "channels": [channel]})
        await self.eventually("the own join", lambda: events.heard)
        self.assertEqual(events.heard, [("join", channel, "ann")])
        self.assertEqual(list((await client.presence(channel)).clients), [events.client])

    async def test_a_client_whose_process_is_killed_leaves(self):
        ann, _ = await self.connect({"sub": "ann"})
        channel = self.fresh()
        room, events = await self.subscribe(ann, channel)
        child = await asyncio.create_subprocess_exec(
            sys.executable, CLIENT, self.server.url, token({"sub": "bob"}), channel,
            stdout=asyncio.subprocess.PIPE, env=os.environ,
        )
        bob = (await child.stdout.readline()).decode().strip()
        self.assertEqual((await room.presence_stats()).num_clients, 2)
        child.kill()
        await child.wait()
        left = ("leave", ClientInfo(bob, "bob", None, None))
        await self.eventually("bob's leave", lambda: left in events.heard)
        self.assertEqual((await room.presence_stats()).num_clients, 1)

    async def test_update_user_status_moves_active_and_leaves_online(self):
        user = "a user who becomes active"
        client, _ = await self.connect({"sub": user})

        def status():
            return self.server.api("get_user_status", {"users": [user]})["statuses"][0]

        await self.eventually("online", lambda: "online" in status())
        self.assertNotIn("active", status())
        self.assertFalse((await client.rpc("update_user_status", {})).data)
        for name in ("active", "online"):
            self.assertLess(abs(status()[name] - time.time()), 3, name)

    async def test_what_a_client_may_not_do_is_refused_with_its_code(self):
        client, _ = await self.connect({"sub": "ann"})
        for channel, code in ((self.fresh("deny"), 103), (self.fresh("nosuch"), 102)):
            events = SubscriptionEvents()
            await client.new_subscription(channel, events=events).subscribe()
            self.assertEqual(await asyncio.wait_for(events.unsubscribed, PATIENCE), code)
        secret, _ = await self.subscribe(client, self.fresh("secret"))
        off, _ = await self.subscribe(client, self.fresh("nopresence"))
        for call, code in (
            (secret.presence, 103),
            (secret.presence_stats, 103),
            (off.presence, 108),
            (lambda: client.presence(self.fresh("nosuch")), 102),
            (lambda: client.presence(self.fresh()), 103),
            (lambda: client.rpc("nope", {}), 104),
        ):
            with self.assertRaises(ReplyError) as refusal:
                await call()
            self.assertEqual(refusal.exception.code, code)

    async def test_a_token_that_is_not_ours_ends_the_connection_for_good(self):
        events = ClientEvents()
        client = Client(self.server.url, events=events, token="eyJ.garbage.token", proxy=None)
        self.addAsyncCleanup(client.disconnect)
        try:
            await client.connect()
        except CentrifugeError:
            pass
        self.assertEqual(await asyncio.wait_for(events.disconnected, PATIENCE), 3500)


if __name__ == "__main__":
    unittest.main()
