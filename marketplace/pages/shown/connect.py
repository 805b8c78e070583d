"""This will prepare the ways into a running rental: SSH, editors over SSH, and its ports."""

from dataclasses import dataclass, field
from urllib.parse import urlencode

from marketplace.domain.rental import RentalState
from marketplace.rentals.notebooks import NOTEBOOK, PORT
from marketplace.rentals.rental_view import RentalView

#: what people know a port by
KNOWN = {8888: "Jupyter", 8188: "ComfyUI", 6006: "TensorBoard", 8000: "vLLM"}


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A port inside, reached through SSH: encrypted, and open to nobody else."""

    port: int
    #: ``Jupyter, port 8888``
    label: str
    command: str
    #: where it is then, on the renter's own machine; of a notebook with its token
    url: str = field(repr=False)
    #: the same without what is secret
    shown: str


@dataclass(frozen=True, slots=True)
class Connect:
    """The ways into a running rental, beside the plain command."""

    #: lines for ~/.ssh/config
    config: str
    #: opens Visual Studio Code in the rental
    editor_url: str
    #: what it is called in the lines
    alias: str
    tunnels: tuple[Tunnel, ...]
    #: opens the notebook at once, at its published port; empty: it has none, or no such port
    notebook_url: str = field(repr=False)


def opens(rental: RentalView) -> bool:
    """Say whether somebody can log in now."""
    return bool(rental.ssh_command) and rental.state is RentalState.ACTIVE


def connect(rental: RentalView, notebook_token: str) -> Connect | None:
    """Return the ways in; None: nobody can log in now."""
    if not opens(rental):
        return None
    alias = f"berth-{str(rental.id)[:8]}"
    lines = (
        f"Host {alias}",
        f"  HostName {rental.ssh_host}",
        f"  Port {rental.ssh_port}",
        f"  User {rental.ssh_user}",
    )
    ports = [port.inside for port in rental.ports]
    is_notebook = NOTEBOOK in rental.image or bool(notebook_token)
    if is_notebook and PORT not in ports:
        ports.append(PORT)
    asks = f"?{urlencode({'token': notebook_token})}" if notebook_token else ""
    return Connect(
        config="\n".join(lines),
        editor_url=f"vscode://vscode-remote/ssh-remote+{_place(rental, alias)}/",
        alias=alias,
        tunnels=tuple(
            _tunnel(port, rental.ssh_command, asks if port == PORT else "") for port in ports
        ),
        notebook_url=_notebook_url(rental, asks),
    )


def _place(rental: RentalView, alias: str) -> str:
    # The colons of an IPv6 address would be taken for a port; the lines of the config name it too.
    if ":" in rental.ssh_host:
        return alias
    return f"{rental.ssh_user}@{rental.ssh_host}:{rental.ssh_port}"


def _notebook_url(rental: RentalView, asks: str) -> str:
    outside = next((port.outside for port in rental.ports if port.inside == PORT), None)
    if not asks or outside is None:
        return ""
    host = f"[{rental.ssh_host}]" if ":" in rental.ssh_host else rental.ssh_host
    return f"http://{host}:{outside}/{asks}"


def _tunnel(port: int, command: str, asks: str) -> Tunnel:
    # Below 1024 only an administrator may listen.
    own = port if port >= 1024 else 8000 + port
    name = KNOWN.get(port, "")
    return Tunnel(
        port=port,
        label=f"{name}, port {port}" if name else f"Port {port}",
        command=command.replace("ssh ", f"ssh -N -L {own}:127.0.0.1:{port} ", 1),
        url=f"http://localhost:{own}/{asks}",
        shown=f"http://localhost:{own}/",
    )
