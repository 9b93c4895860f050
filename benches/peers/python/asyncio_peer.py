"""The workloads of the yardstick in asyncio on uvloop: one thread."""

import asyncio
import os
import time

import uvloop

import common

BATCH = 1000


async def yielding(name, n):
    count = common.greenlets_of(name)
    each = n // count

    async def body():
        for _ in range(each):
            await asyncio.sleep(0)

    begun = time.perf_counter()
    await asyncio.gather(*[asyncio.create_task(body()) for _ in range(count)])
    common.tell_ns(begun, each * count)


async def value(i):
    return i


async def spawn(n, batch):
    begun = time.perf_counter()
    for _ in range(n // batch):
        children = [asyncio.create_task(value(i)) for i in range(batch)]
        total = 0
        for child in children:
            total += await child
        assert total == batch * (batch - 1) // 2
    common.tell_ns(begun, n // batch * batch)


async def node(first, leaves):
    if leaves == 1:
        return first
    part = leaves // 10
    children = [asyncio.create_task(node(first + i * part, part)) for i in range(10)]
    return sum([await child for child in children])


async def skynet(_, n):
    begun = time.perf_counter()
    assert await asyncio.create_task(node(0, n)) == n * (n - 1) // 2
    common.tell(ms=(time.perf_counter() - begun) * 1e3)


async def ping_pong(_, n):
    ping, pong = asyncio.Event(), asyncio.Event()
    rounds = n // 2

    async def play(mine, others, turns):
        for _ in range(turns):
            await mine.wait()
            mine.clear()
            others.set()

    begun = time.perf_counter()
    ping.set()
    await asyncio.gather(play(ping, pong, rounds), play(pong, ping, rounds))
    common.tell_ns(begun, rounds * 2)


async def sleepers(_, n):
    nights = common.Nights(n)

    async def body(i):
        lay_down = time.perf_counter()
        await asyncio.sleep(nights.night(i))
        nights.wake(i, lay_down)

    await asyncio.gather(*[asyncio.create_task(body(i)) for i in range(n)])
    nights.morning()


class Echo(asyncio.Protocol):
    """asyncio's fast way; uvloop sets TCP_NODELAY itself."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo(_, __):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024)
    common.tell(port=server.sockets[0].getsockname()[1])
    common.end_with_input(os._exit)
    await server.serve_forever()


def run(workload):
    return lambda name, n: uvloop.run(workload(name, n))


common.main({
    "yield": run(yielding),
    "spawn-join": run(lambda _, n: spawn(n, BATCH)),
    "spawn-burst": run(lambda _, n: spawn(n, n)),
    "skynet": run(skynet),
    "ping-pong": run(ping_pong),
    "sleepers": run(sleepers),
    "echo": run(echo),
})
