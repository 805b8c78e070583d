"""A replica on a real engine: its port is reached by gateways through the agent's door alone."""

import asyncio

import asyncssh
import pytest

from protocol.agent import GATEWAY_USER, ObservedState
from protocol.signing import openssh_public_key
from protocol.workload import PlacementKind
from tests.miner_agent.host import Host, docker

#: answers at once with what was asked, and tells what it can reach
SERVER = """
mkdir -p /www/cgi-bin
cat > /www/cgi-bin/echo <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
cat
echo "asked $QUERY_STRING"
END
chmod +x /www/cgi-bin/echo
nc -w 1 1.1.1.1 80 </dev/null && echo out > /www/outside || echo in > /www/outside
exec httpd -f -p 8080 -h /www
"""


@pytest.fixture
async def key(running_host: Host) -> asyncssh.SSHKey:
    key = asyncssh.generate_private_key("ssh-ed25519")
    market = running_host.market
    market.open_to(key.export_public_key().decode().strip())
    revision = market.revision
    await asyncio.to_thread(market.wait_until, lambda: market.applied >= revision)
    return key


def connect(host: Host, key: asyncssh.SSHKey):
    port = host.control_port
    host_key = openssh_public_key(host.market.machine_key)
    return asyncssh.connect(
        "127.0.0.1",
        port,
        username=GATEWAY_USER,
        client_keys=[key],
        known_hosts=asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {host_key}\n"),
        config=None,
        agent_path=None,
    )


async def ask(connection: asyncssh.SSHClientConnection, replica: str, request: bytes) -> bytes:
    """Send a request, end it, and return everything that is answered after that."""
    reader, writer = await connection.open_connection(replica, 8080)
    writer.write(request)
    writer.write_eof()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_gateway_reaches_a_running_replica_and_nothing_else_does(
    running_host: Host, key: asyncssh.SSHKey
) -> None:
    host, market = running_host, running_host.market
    desired = host.desire(kind=PlacementKind.REPLICA, command=("sh", "-c", SERVER), http_port=8080)
    rental = host.desire()
    seen = await asyncio.to_thread(market.wait_for, desired.placement_id, ObservedState.RUNNING)
    await asyncio.to_thread(market.wait_for, rental.placement_id, ObservedState.RUNNING)
    assert (seen.ssh_port, seen.ports) == (None, ())
    name, replica = f"berth-{desired.placement_id}-0", str(desired.placement_id)
    assert docker("port", name) == ""
    async with connect(host, key) as connection:
        get = b"GET /outside HTTP/1.0\r\n\r\n"
        async with asyncio.timeout(30):
            while not (answer := await try_ask(connection, replica, get)).endswith(b"in\n"):
                assert not answer.endswith(b"out\n")
                await asyncio.sleep(0.2)
        body = b"x" * 50_000
        post = b"POST /cgi-bin/echo?q HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
        answer = await ask(connection, replica, post + body)
        assert answer.endswith(body + b"asked q\n")
        for placement, port in ((replica, 22), (str(rental.placement_id), 22), (replica, 80)):
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection(placement, port)
        market.end(desired.placement_id)
        await asyncio.to_thread(market.wait_for, desired.placement_id, ObservedState.GONE)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection(replica, 8080)
        market.open_to()
        async with asyncio.timeout(30):
            await connection.wait_closed()
    market.end(rental.placement_id)
    await asyncio.to_thread(market.wait_for, rental.placement_id, ObservedState.GONE)
    for one in (desired, rental):
        market.drop(one.placement_id)


async def try_ask(connection: asyncssh.SSHClientConnection, replica: str, request: bytes) -> bytes:
    """Ask a server that may not listen yet."""
    try:
        return await ask(connection, replica, request)
    except asyncssh.ChannelOpenError:
        return b""
