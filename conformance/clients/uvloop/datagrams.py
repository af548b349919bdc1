"""UDP: many datagrams, large ones, connected endpoints, errors that come back."""

import asyncio
import os
import socket

from common import contents, main, until

# Not in the module: a buffer above the limit, which root may have.
SO_RCVBUFFORCE = 33


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


class Client(asyncio.DatagramProtocol):
    def __init__(self):
        self.got = asyncio.Queue()
        self.errors = []
        self.lost = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        self.got.put_nowait((data, address))

    def error_received(self, error):
        self.errors.append(error)

    def connection_lost(self, error):
        self.lost.set_result(error)


async def echoes(family, host):
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=(host, 0), family=family)
    place = server.get_extra_info("sockname")
    free, free_client = await loop.create_datagram_endpoint(
        Client, local_addr=(host, 0), family=family)
    bound, bound_client = await loop.create_datagram_endpoint(
        Client, remote_addr=place[:2], family=family)
    for number in range(2000):
        # One at a time, so that no buffer runs over.
        data = contents(number % 1400 + 1, b"%d" % number)
        free.sendto(data, place)
        bound.sendto(data)
        for client in (free_client, bound_client):
            answer, sender = await client.got.get()
            assert answer == data
            assert sender[:2] == place[:2]
    large = contents(60_000)
    bound.sendto(large)
    assert (await bound_client.got.get())[0] == large
    for transport in (server, free, bound):
        transport.close()
    assert await free_client.lost is None
    assert await bound_client.lost is None


async def burst():
    """Many at once: what arrives is whole, and sending is never refused."""
    loop = asyncio.get_running_loop()
    server, server_client = await loop.create_datagram_endpoint(
        Client, local_addr=("127.0.0.1", 0))
    server.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    place = server.get_extra_info("sockname")
    sender, _ = await loop.create_datagram_endpoint(Client, local_addr=("127.0.0.1", 0))
    sent = [contents(1000, b"%d" % number) for number in range(1000)]
    for data in sent:
        sender.sendto(data, place)
    got = [(await server_client.got.get())[0] for _ in sent]
    assert got == sent
    sender.close()
    server.close()


async def refused():
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        place = free.getsockname()
    transport, client = await loop.create_datagram_endpoint(Client, remote_addr=place)
    transport.sendto(b"to no peer")
    await until(lambda: client.errors)
    assert isinstance(client.errors[0], ConnectionRefusedError), client.errors
    transport.close()
    await client.lost


async def everything():
    await echoes(socket.AF_INET, "127.0.0.1")
    if os.path.exists("/proc/net/if_inet6"):
        await echoes(socket.AF_INET6, "::1")
    await burst()
    await refused()
    return "datagrams echoed, in bursts, large and refused"


main(everything)
