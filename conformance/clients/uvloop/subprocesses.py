"""Child processes: their pipes, status, signals, environment, folder and descriptors."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT

from common import contents, descriptors, main, until


async def through_cat():
    data = contents(3_000_000)
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    output, errors = await child.communicate(data)
    assert output == data and errors is None
    assert child.returncode == 0


async def shell(command, **options):
    child = await asyncio.create_subprocess_shell(command, stdout=PIPE, **options)
    output, _ = await child.communicate()
    return child.returncode, output.decode()


async def outcomes():
    assert await shell("exit 7") == (7, "")
    assert await shell("kill -9 $$") == (-9, "")
    assert await shell("echo one; echo two >&2", stderr=STDOUT) == (0, "one\ntwo\n")
    assert await shell("echo one; echo two >&2", stderr=DEVNULL) == (0, "one\n")
    assert await shell("echo $A-$HOME", env={"A": "b"}) == (0, "b-\n")
    os.mkdir("folder")
    assert await shell("pwd", cwd="folder") == (0, os.path.realpath("folder") + "\n")
    for command, kind in (("./not-there", FileNotFoundError), ("./folder", PermissionError)):
        try:
            await asyncio.create_subprocess_exec(command)
        except kind:
            pass
        else:
            raise AssertionError(f"{command} ran")


async def signals():
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1):
        child = await asyncio.create_subprocess_exec("sleep", "1000")
        child.send_signal(number)
        assert await child.wait() == -number
    # Stopped and continued is not ended.
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    child.send_signal(signal.SIGSTOP)
    with open(f"/proc/{child.pid}/stat") as file:
        await until(lambda: (file.seek(0), file.read())[1].split()[2] == "T")
    assert child.returncode is None
    child.send_signal(signal.SIGCONT)
    assert await child.communicate(b"still there") == (b"still there", None)


async def many():
    async def one(number):
        assert await shell(f"cat > /dev/null; echo {number}; exit {number % 200}",
                           stdin=DEVNULL) == (number % 200, f"{number}\n")

    for begin in range(0, 200, 50):
        await asyncio.gather(*(one(number) for number in range(begin, begin + 50)))


async def passed_descriptors():
    """A child has those that it was given."""
    read_end, write_end = os.pipe()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"import os; os.write({write_end}, b'here')", pass_fds=[write_end])
    os.close(write_end)
    assert await child.wait() == 0
    assert os.read(read_end, 10) == b"here"
    os.close(read_end)


async def process_groups():
    child = await asyncio.create_subprocess_exec(
        "sh", "-c", "ps -o sid= -p $$; exec sleep 1000", stdout=PIPE, start_new_session=True)
    line = await child.stdout.readline()
    assert int(line) == child.pid
    os.killpg(child.pid, signal.SIGTERM)
    assert await child.wait() == -signal.SIGTERM


async def everything():
    await through_cat()
    before = descriptors()
    await outcomes()
    await signals()
    await many()
    await passed_descriptors()
    await process_groups()
    await until(lambda: descriptors() <= before)
    return "200 children, pipes, signals, groups, descriptors"


main(everything)
