"""What renters trust a machine with is in no line that it logs or shows, whatever happens."""

import subprocess
from pathlib import Path

from protocol.agent import ObservedState, RegistryLogin
from tests.miner_agent import images
from tests.miner_agent.host import REPOSITORY, Host
from tests.miner_agent.registry import Registry

VARIABLE, PASSWORD = "marked-variable-4711", "marked-password-4712"


def test_environment_and_log_in_are_neither_logged_nor_shown(
    running_host: Host, registry: Registry
) -> None:
    host, market = running_host, running_host.market
    registry.guard = "Basic"
    registry.login = ("renter", PASSWORD)
    name = registry.push("open/private/tool", "1", images.content(text=registry.name))
    login = RegistryLogin(username="renter", password=PASSWORD)
    environment = {"TOKEN": VARIABLE, "BROKEN\n": VARIABLE}
    good = host.desire(image=name, environment=environment, registry_login=login)
    wrong = host.desire(
        image=name,
        environment=environment,
        registry_login=login.model_copy(update={"password": f"{PASSWORD}-wrong"}),
    )
    broken = host.desire(environment=environment, command=(f"/{'x' * 3000}",), disk_bytes=4096)
    seen = market.wait_for(good.placement_id, ObservedState.RUNNING)
    assert host.ssh(seen, "echo $TOKEN").stdout == f"{VARIABLE}\n"
    refused = market.wait_for(wrong.placement_id, ObservedState.GONE)
    assert refused.problem is not None
    assert refused.problem.code == "image_unknown"
    failed = market.wait_for(broken.placement_id, ObservedState.GONE)
    shown = host.command("status").stdout
    bundle = host.command("support-bundle", "--output", str(host.home / "bundle.tar"))
    market.end(good.placement_id)
    market.wait_for(good.placement_id, ObservedState.GONE)
    log = (host.home / "agent.log").read_text()
    assert str(wrong.placement_id) in log
    told = "".join((log, shown, bundle.stdout, bundle.stderr, str(refused), str(failed)))
    for secret in (VARIABLE, PASSWORD):
        assert secret not in told
    assert str(good.placement_id) in shown
    for one in (good, wrong, broken):
        market.drop(one.placement_id)


def test_a_log_in_is_written_to_no_file_of_the_agent(
    running_host: Host, registry: Registry
) -> None:
    host, market = running_host, running_host.market
    registry.guard = "Basic"
    registry.login = ("renter", PASSWORD)
    name = registry.push("open/private/tool", "1", images.content(text=registry.name))
    login = RegistryLogin(username="renter", password=PASSWORD)
    desired = host.desire(image=name, registry_login=login)
    market.wait_for(desired.placement_id, ObservedState.RUNNING)
    found = files_with(PASSWORD, host.home / "agent")
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    market.drop(desired.placement_id)
    assert found == files_with(PASSWORD, host.home / "agent") == []
    # The search itself finds what is there.
    (host.home / "agent" / "planted").write_text(PASSWORD)
    assert files_with(PASSWORD, host.home / "agent") == [str(host.home / "agent" / "planted")]
    (host.home / "agent" / "planted").unlink()


def files_with(text: str, folder: Path) -> list[str]:
    command = ["grep", "-rlaF", "--exclude=*.img", "--devices=skip", text, str(folder)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return result.stdout.split()
