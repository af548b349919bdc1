"""TLS over the loop's streams, with a certificate made here."""

import asyncio
import ssl
import subprocess

from common import contents, main

subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
     "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
     "-keyout", "key.pem", "-out", "cert.pem"],
    check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def echo(reader, writer):
    size = int(await reader.readline())
    while size > 0:
        data = await reader.read(65536)
        size -= len(data)
        writer.write(data)
        await writer.drain()
    writer.close()


async def talk(port, context, data):
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost")
    assert writer.get_extra_info("peercert")
    writer.write(b"%d\n" % len(data))

    async def send():
        writer.write(data)
        await writer.drain()

    _, answer = await asyncio.gather(send(), reader.readexactly(len(data)))
    assert answer == data
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def everything():
    of_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    of_server.load_cert_chain("cert.pem", "key.pem")
    of_client = ssl.create_default_context(cafile="cert.pem")
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=of_server)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(*(
        talk(port, of_client, contents(200_000 + number)) for number in range(20)))
    server.close()
    await server.wait_closed()
    return "TLS"


main(everything)
