"""What the stack is made of: services (a process that stays) and steps (work done once they are there).

Each says what it requires; the order of start and stop follows from that alone. A service also declares what the rest
of the stack must know of it, once: its settings, ports, packages, secrets. `neonblue.stack.catalogue` finds it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from neonblue.settings import Role, Settings
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.listeners import Address
from neonblue.stack.processes.ports import PortUse


@dataclass(frozen=True, slots=True)
class Package:
    """What must be installed for a service to run here.

    module: how it is imported. brings: what a person calls it. trial: Python that ends well where it runs here.
    """

    module: str
    brings: str
    trial: str = ""


@dataclass(frozen=True, slots=True)
class Making:
    """What nodes are made from. present: what there will be of the platform, and of what watches it."""

    settings: Settings
    progress: Callable[[str], None]
    present: frozenset[str]


class Node(ABC):
    """Something that becomes ready once what it requires is ready."""

    name: ClassVar[str]
    place: ClassVar[int] = 80
    """Where it stands among the others in what people are shown."""
    secrets_used: ClassVar[frozenset[str]] = frozenset()
    """The secrets that its process gets, and no other: see `neonblue.stack.services.secret_use`."""
    postgres_role: ClassVar[Role | None] = None
    """As whom it connects to PostgreSQL: user and password in its process's environment are that role's."""
    requires: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    """Required where present: a subset of the stack may lack them."""
    uses: ClassVar[tuple[str, ...]] = ()
    """Not waited for at the start, but it stops before these do."""
    patience_seconds: ClassVar[float | None] = None
    """How long it waits for others at its start; then it starts without them. None: for ever."""
    watch_seconds: float | None = None
    """How often readiness is checked again; None: never."""

    @classmethod
    def belongs(cls, settings: Settings, watched: Collection[str]) -> bool:  # noqa: ARG003
        """Whether it is a part of the stack that `settings` describe, whose services `watched` are watched."""
        return True

    @classmethod
    def made(cls, making: Making) -> Self:
        return cls(making.settings)  # type: ignore[call-arg]

    @abstractmethod
    def check(self) -> None:
        """Return when ready, raise when not (whatever the client library raises); within seconds."""

    def note(self) -> str:
        """What is to be said of it although it is ready; '' for nothing."""
        return ""

    def mend(self) -> None:  # noqa: B027
        """Try to repair what `check` complained of."""

    def close(self) -> None:  # noqa: B027
        """Let go of what `check` keeps open."""


class Service(Node):
    """A process that is started, watched, restarted and stopped.

    One that hangs is killed and started again, as one that has died is: see `liveness`.
    """

    component: ClassVar[str] = ""
    """Its settings: the field of `Settings`."""
    port_settings: ClassVar[tuple[str, ...]] = ()
    """Those of its settings that are ports on which it listens."""
    packages: ClassVar[tuple[Package, ...]] = ()
    """What must be installed, unless somebody else runs the service."""
    clients: ClassVar[tuple[str, ...]] = ()
    """Packages of extras by which the stack speaks to it. They are imported where they are used: what is declared here
    must be known where they are missing."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Those of its settings that are secrets made at the first start …"""
    secrets_if_external: ClassVar[bool] = True
    """… and whether also for one that somebody else runs: False where its address names who signs in."""
    kept_if_external: ClassVar[tuple[str, ...]] = ()
    """Those of its settings that later commands need to reach one that somebody else runs, besides addresses."""
    folders: ClassVar[tuple[str, ...]] = ()
    """What it has in the data folder."""
    knows_settings: ClassVar[bool] = True
    """False: its program knows no setting of NeonBlue. It gets none, and of this environment what any program needs."""
    secluded: ClassVar[bool] = False
    """It gets its settings, and of this environment what any program needs."""
    beside: ClassVar[bool] = False
    """It watches the platform, where that is asked for, and is no part of it."""
    _settings: Settings

    watch_seconds = 5.0
    start_seconds: float = 120.0
    """While it starts: it hangs when it answers nothing and does not use the processor for this long …"""
    longest_start_seconds: float = 1800.0
    """… or when it is not ready after this long."""
    idle_seconds: float = 30.0
    """Once it was ready: it hangs when it answers nothing and does not use the processor for this long …"""
    busy_seconds: float = 120.0
    """… or when it answers nothing for this long."""
    stopped_seconds: float = 5.0
    """At any time: it hangs when a signal has stopped it for this long."""
    stop_seconds: float = 20.0

    def answer(self, seconds: float) -> None:  # noqa: ARG002
        """Return when the process gives any answer on a new connection; raise when there is none within `seconds`.

        Only what lies with the process itself: one whose database is away answers that it is not ready.
        """
        self.check()

    def outdated(self) -> str:
        """Why a process that is fit must be started again all the same; '' where it need not."""
        return ""

    def ports(self) -> tuple[PortUse, ...]:
        """Where it listens, and the setting that changes it."""
        return self.listening(self._settings) if self.port_settings else ()

    @classmethod
    def listening(cls, settings: Settings) -> tuple[PortUse, ...]:
        """The ports that `settings` give it."""
        own = getattr(settings, cls.component)
        return tuple(
            PortUse(getattr(own, setting), cls.name, f"NEONBLUE_{cls.component}_{setting}".upper())
            for setting in cls.port_settings
        )

    @classmethod
    def reached_at(cls, settings: Settings) -> str:
        """Where it is reached, which may hold a secret; '' for what has no address."""
        address: str = getattr(settings, cls.component).address if cls.port_settings else ""
        return address

    def prepare(self) -> None:
        """Do what must be done before each start: folders, configuration. Blocking, repeatable."""

    @abstractmethod
    def command(self) -> Command: ...

    def listens(self) -> Address | None:
        """Where the supervisor is to listen for it, so that connections wait while no process is there to take them.

        Its process gets the sockets, and tells when it takes connections, both by `serving.inherited`.
        """
        return None

    def successor(self, settings: Settings) -> Command | None:  # noqa: ARG002
        """How to start a process, with what may change of `settings`, beside one that serves, to take over from it.

        It takes no connection before it is ready. None: one process must have ended before the next one starts.
        """
        return None

    def renew(self, settings: Settings) -> None:
        """Start with what may change of `settings` from now on."""

    def settle(self) -> None:
        """Do what must follow the first readiness of each start. Blocking, repeatable."""


class Step(Node):
    """Work to be done between the services' starts. Repeatable: it runs at every start of the stack."""

    attempts: int = 5

    @abstractmethod
    def run(self) -> None: ...

    def check(self) -> None:
        return None


class External(Step):
    """A service that somebody else runs: only its readiness is ours to see."""

    watch_seconds = 5.0
    attempts = 30

    def __init__(self, service: Service) -> None:
        self._service = service
        self.name = service.name  # type: ignore[misc]

    def run(self) -> None:
        self._service.check()
        self._service.settle()

    def check(self) -> None:
        self._service.check()

    def close(self) -> None:
        self._service.close()


def requirements(node: Node, present: Collection[str]) -> tuple[str, ...]:
    """What `node` waits for among the nodes `present`."""
    return node.requires + tuple(name for name in node.optional if name in present)


def select(nodes: Iterable[Node], services: Collection[str]) -> tuple[Node, ...]:
    """The nodes named, and every step whose requirements are all met by what is chosen.

    Raises ``ValueError`` on a name that is no node, or on a service that lacks what it requires.
    """
    known = {node.name: node for node in nodes}
    if unknown := set(services) - set(known):
        raise ValueError(f"no such service: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = set(services)
    for node in ordered(known.values()):
        if _follows(node) and set(node.requires) <= chosen:
            chosen.add(node.name)
    for name in chosen:
        if lacking := set(known[name].requires) - chosen:
            raise ValueError(f"{name} needs {', '.join(sorted(lacking))}")
    return tuple(node for node in known.values() if node.name in chosen)


def _follows(node: Node) -> bool:
    """Whether `node` comes along once what it requires is chosen: a step, not a service that others run."""
    return isinstance(node, Step) and not isinstance(node, External) and bool(node.requires)


def ordered(nodes: Iterable[Node]) -> list[Node]:
    """The nodes, each after all that it requires. Raises ``ValueError`` on a cycle."""
    pending = list(nodes)
    names = {node.name for node in pending}
    result: list[Node] = []
    done: set[str] = set()
    while pending:
        free = [node for node in pending if set(requirements(node, names)) & names <= done]
        if not free:
            raise ValueError(f"these require each other: {', '.join(node.name for node in pending)}")
        result += free
        done |= {node.name for node in free}
        pending = [node for node in pending if node.name not in done]
    return result


def with_requirements(names: Iterable[str], nodes: Iterable[Node]) -> set[str]:
    """The nodes `names`, and all that they wait for, directly or not. Raises ``ValueError`` on a name that is none."""
    by_name = {node.name: node for node in nodes}
    pending, found = list(names), set[str]()
    while pending:
        name = pending.pop()
        if name not in by_name:
            raise ValueError(f"no such service in this stack: {name}; there are {', '.join(by_name)}")
        if name not in found:
            found.add(name)
            pending += requirements(by_name[name], by_name)
    return found


def dependents(name: str, nodes: Sequence[Node]) -> tuple[str, ...]:
    """The nodes that need `name`, which must stop before it does."""
    names = {node.name for node in nodes}
    return tuple(node.name for node in nodes if name in (*requirements(node, names), *node.uses))
