# An echo server with 100 clients, and a child process.
cat > echo.py <<'END'
import asyncio, sys, uvloop
from uvloop.loop import libuv_get_version

async def serve(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()

async def ask(port, number):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    line = b'%d\n' % number
    writer.write(line)
    assert await reader.readline() == line
    writer.close()

async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(*(ask(port, number) for number in range(100)))
    server.close()
    child = await asyncio.create_subprocess_exec('echo', 'child', stdout=asyncio.subprocess.PIPE)
    assert (await child.communicate())[0] == b'child\n'

number = libuv_get_version()
version = '.'.join(str(number >> shift & 255) for shift in (16, 8, 0))
assert version == sys.argv[1], version
uvloop.install()
asyncio.run(main())
print(f'uv {version}: 100 echoes and a child')
END
python3 echo.py "$1"
