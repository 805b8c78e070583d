"""This will say what an installation does, step by step, and how each step is undone.

Every step is a few lines of shell that may be run again; so is every undoing, also after half of
its step. What a step found and changed it leaves in the folder ``work`` for its undoing.
"""

import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

#: of Debian: what the agent and the access kit are made of
PACKAGES = (
    "busybox-static",
    "e2fsprogs",
    "iptables",
    "musl-tools",
    "openssh-client",
    "openssh-server",
    "patchelf",
    "python3",
    "python3-venv",
    "rsync",
)
DOCKER_PACKAGE = "docker.io"
UNIT = "berth-agent.service"
#: the file in ``work`` that holds the enrolment token: a command line would show it
ENROLS_WITH = "enrols_with"
QUICK_S, SLOW_S = 60, 1200


@dataclass(frozen=True, slots=True)
class Step:
    """``undo`` may be empty: then nothing is left of the step that matters."""

    title: str
    do: str
    undo: str = ""
    deadline_s: int = QUICK_S


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are on the machine; ``root`` is empty but in tests."""

    #: where the files that are brought along lie, and what steps note
    work: str
    #: of the wheel's digest: the folder of this version
    version: str
    root: str = ""
    systemctl: str = "systemctl"

    @property
    def program(self) -> str:
        """Return the folder of all versions."""
        return f"{self.root}/opt/berth-agent"

    @property
    def unit(self) -> str:
        """Return the service's file."""
        return f"{self.root}/etc/systemd/system/{UNIT}"

    @property
    def docker_settings(self) -> str:
        """Return Docker's own settings."""
        return f"{self.root}/etc/docker/daemon.json"

    @property
    def environment(self) -> str:
        """Return the host's settings of the service."""
        return f"{self.root}/etc/berth-agent.env"


@dataclass(frozen=True, slots=True)
class Brought:
    """Names of the files in ``work`` that were brought along."""

    wheel: str
    #: pinned with hashes; None: what the wheel itself asks for
    requirements: str | None = None


def steps(places: Places, brought: Brought, *, docker: bool) -> tuple[Step, ...]:
    """Return the steps in order; ``docker``: put the file ``daemon.json`` of ``work`` in place."""
    found = [_root(), _packages(places), _program(places, brought), _current(places)]
    found += [_link(places), _service(places)]
    if docker:
        found.append(_docker(places))
    return tuple(found)


def enrol(places: Places, arguments: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the steps that make the machine somebody's and start the service."""
    program = f"{places.program}/current/bin/berth-agent"
    command = shlex.join((program, "enroll", *arguments))
    # A service that starts over and over, for want of something, would be in the way now and then.
    idle = f"{places.systemctl} is-active --quiet {UNIT} || {places.systemctl} stop {UNIT} || true"
    do = f"""
{idle}
set -a; . {places.environment}; set +a
{command} < {places.work}/{ENROLS_WITH}"""
    return (
        Step("Enrol the machine", do, deadline_s=120),
        Step(
            "Start the agent",
            f"{places.systemctl} restart {UNIT}",
            f"{places.systemctl} stop {UNIT} || true",
        ),
    )


def _root() -> Step:
    refuse = 'test "$(id -u)" = 0 || { echo "Be root, or let sudo ask no password."; exit 1; }'
    debian = 'command -v apt-get >/dev/null || { echo "This is no Debian or Ubuntu."; exit 1; }'
    return Step("Look at the system", f"{refuse}\n{debian}")


def _packages(places: Places) -> Step:
    noted = f"{places.work}/packages"
    names = " ".join(PACKAGES)
    do = f"""
: > {noted}
for one in {names}; do
  dpkg-query -W -f '${{Status}}' "$one" 2>/dev/null | grep -q 'ok installed' ||
    echo "$one" >> {noted}
done
command -v docker >/dev/null || echo {DOCKER_PACKAGE} >> {noted}
if [ -s {noted} ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q || true
  xargs apt-get install -q -y --no-install-recommends < {noted}
fi"""
    undo = (
        f"[ ! -s {noted} ] || DEBIAN_FRONTEND=noninteractive xargs apt-get remove -q -y < {noted}"
    )
    return Step("Install Debian packages", do, undo, deadline_s=SLOW_S)


def _program(places: Places, brought: Brought) -> Step:
    folder = f"{places.program}/versions/{places.version}"
    pip = f"{folder}/bin/python -m pip install --quiet --disable-pip-version-check"
    wheel = shlex.quote(f"{places.work}/{brought.wheel}")
    if brought.requirements is None:
        install = f"{pip} {wheel}'[agent]'"
    else:
        pinned = shlex.quote(f"{places.work}/{brought.requirements}")
        install = f"{pip} --require-hashes --requirement {pinned}\n{pip} --no-deps {wheel}"
    do = f"""
[ ! -e {folder}/installed ] || exit 0
touch {places.work}/made
rm -rf {folder}
mkdir -p {places.program}/versions
python3 -m venv {folder}
{install}
{folder}/bin/berth-agent --version
touch {folder}/installed"""
    undo = f"""
[ ! -e {places.work}/made ] || rm -rf {folder}
rmdir {places.program}/versions {places.program} 2>/dev/null || true"""
    return Step("Install the agent", do, undo, deadline_s=SLOW_S)


def _current(places: Places) -> Step:
    link, noted = f"{places.program}/current", f"{places.work}/current"
    do = f"""
[ ! -L {link} ] || readlink {link} > {noted}
ln -sfn versions/{places.version} {link}.part
mv -T {link}.part {link}
rm -f {places.program}/former {places.program}/starts"""
    undo = f"""
rm -f {link}.part
if [ -s {noted} ]; then ln -sfn "$(cat {noted})" {link}; else rm -f {link}; fi
rmdir {places.program} 2>/dev/null || true"""
    return Step("Make it the version that runs", do, undo)


def _link(places: Places) -> Step:
    link = f"{places.root}/usr/local/bin/berth-agent"
    do = f"""
[ -e {link} ] || [ -L {link} ] || touch {places.work}/linked
mkdir -p {PurePosixPath(link).parent}
[ ! -e {places.work}/linked ] || ln -s {places.program}/current/bin/berth-agent {link}"""
    return Step("Make it a command", do, f"[ ! -e {places.work}/linked ] || rm -f {link}")


def _service(places: Places) -> Step:
    unit, environment = places.unit, places.environment
    do = f"""
[ ! -e {unit} ] || cp -p {unit} {places.work}/unit.before
mkdir -p {PurePosixPath(unit).parent} {PurePosixPath(environment).parent}
[ -e {environment} ] || {{ touch {places.work}/env.made; umask 077; : > {environment}; }}
cp {places.work}/{UNIT} {unit}
chmod 644 {unit}
{places.systemctl} daemon-reload
{places.systemctl} enable {UNIT}"""
    undo = f"""
if [ -e {places.work}/unit.before ]; then cp -p {places.work}/unit.before {unit}
else {places.systemctl} disable --now {UNIT} || true; rm -f {unit}; fi
[ ! -e {places.work}/env.made ] || rm -f {environment}
{places.systemctl} daemon-reload || true"""
    return Step("Install the service", do, undo)


def _docker(places: Places) -> Step:
    settings = places.docker_settings
    do = f"""
[ ! -e {settings} ] || cp -p {settings} {places.work}/daemon.before
mkdir -p {PurePosixPath(settings).parent}
cp {places.work}/daemon.json {settings}
if [ -n "$(docker ps -q 2>/dev/null)" ]; then
  {places.systemctl} reload docker
  echo "Containers run: restart Docker once they have ended."
else
  {places.systemctl} restart docker
fi"""
    undo = f"""
if [ -e {places.work}/daemon.before ]; then cp -p {places.work}/daemon.before {settings}
else rm -f {settings}; fi
[ -n "$(docker ps -q 2>/dev/null)" ] || {places.systemctl} restart docker || true"""
    return Step("Add what is missing to Docker's settings", do, undo, deadline_s=180)
