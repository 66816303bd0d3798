"""Everything the stack can run: whatever service or step a module of `neonblue.stack.services` has.

What other parts must know of the services is put together here from what each declares. No package of an extra is
imported for it, so that commands can say what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

from neonblue.settings import Settings
from neonblue.settings.addresses import without_credentials
from neonblue.stack import services as _services
from neonblue.stack.processes.ports import free_ports
from neonblue.stack.supervisor.names import DISK, SUPERVISOR
from neonblue.stack.supervisor.nodes import (
    External,
    Making,
    Node,
    Package,
    Service,
    Step,
    with_requirements,
)


def _declared() -> Iterator[type[Node]]:
    for found in iter_modules(_services.__path__, f"{_services.__name__}."):
        if found.ispkg:
            continue
        for one in vars(import_module(found.name)).values():
            is_node = isinstance(one, type) and issubclass(one, Node) and not isabstract(one)
            if is_node and one.__module__ == found.name:
                yield one


NODES: tuple[type[Node], ...] = tuple(sorted(_declared(), key=lambda node: (node.place, node.name)))
"""Every service and step."""
ALL_SERVICES: tuple[type[Service], ...] = tuple(node for node in NODES if issubclass(node, Service))
SERVICES = tuple(service.name for service in ALL_SERVICES if not service.beside)
"""What the platform is made of."""
MONITORING = tuple(service.name for service in ALL_SERVICES if service.beside)
"""What watches the services, where that is asked for."""
STEPS = tuple(node.name for node in NODES if issubclass(node, Step))
"""Work between the services' starts. A step has no log of its own: what becomes of it is in the supervisor's."""
LOGS = (*SERVICES, *MONITORING, SUPERVISOR, "up")
"""Those that have a log. ``up`` is what ``neonblue up --detach`` said."""


def nodes(
    settings: Settings, progress: Callable[[str], None], watched: Collection[str] = ()
) -> tuple[Node, ...]:
    """All services and steps, and what watches the services `watched`. `progress` is told of downloads."""
    chosen = [node for node in NODES if node.belongs(settings, watched)]
    beside = {node.name for node in chosen if issubclass(node, Service) and node.beside}
    making = Making(settings, progress, frozenset({*beside, *watched}))
    return tuple(_made(node, making) for node in chosen)


def _made(kind: type[Node], making: Making) -> Node:
    node = kind.made(making)
    return External(node) if isinstance(node, Service) and is_external(node, making.settings) else node


def is_external(service: Service | type[Service], settings: Settings) -> bool:
    """Whether somebody else runs it."""
    external: bool = getattr(settings, service.component).external
    return external


def with_steps(available: Iterable[Node], services: Collection[str] | None) -> set[str]:
    """`services` (None: all there are) and the steps they need that nothing else brings: the downloads; the disk.

    And what watches them, where that is among what is available.
    """
    by_name = {node.name: node for node in available}
    chosen = set(services) if services is not None else set(by_name) & set(SERVICES)
    chosen |= set(by_name) & set(MONITORING)
    needed = {name for service in chosen & set(by_name) for name in by_name[service].requires}
    return chosen | (needed - set(SERVICES)) | ({DISK} & set(by_name))


def needed(nodes: Collection[Node]) -> set[str]:
    """What must be ready for events to be taken: the API and what it waits for; without an API, everything."""
    names = {node.name for node in nodes}
    return with_requirements({"api"}, nodes) if "api" in names else names


def address(name: str, settings: Settings) -> str:
    """Where a service is reached, without its secrets; '' for what has no address."""
    found = [service.reached_at(settings) for service in ALL_SERVICES if service.name == name]
    return without_credentials(found[0]) if found else ""


def port_settings() -> tuple[tuple[str, str], ...]:
    """Every setting that is a port of a service: its component and its field."""
    return tuple((service.component, field) for service in ALL_SERVICES for field in service.port_settings)


def with_free_ports(settings: Settings) -> Settings:
    """`settings` with every service on a free port of its own, for tests."""
    fields = port_settings()
    components = {name: getattr(settings, name) for name, _ in fields}
    for (name, field), port in zip(fields, free_ports(len(fields)), strict=True):
        components[name] = components[name].model_copy(update={field: port})
    return settings.model_copy(update=components)


def packages(settings: Settings) -> tuple[Package, ...]:
    """What must be installed for the services that are not external ones."""
    return tuple(
        package
        for service in ALL_SERVICES
        if not is_external(service, settings)
        for package in service.packages
    )


def clients() -> tuple[str, ...]:
    """The packages by which the stack speaks to its services."""
    return tuple(sorted({client for service in ALL_SERVICES for client in service.clients}))


def secrets() -> dict[str, tuple[str, ...]]:
    """The secrets that are made at the first start: the fields of each component."""
    found: dict[str, dict[str, None]] = {}
    for service in ALL_SERVICES:
        if service.secrets:
            found.setdefault(service.component, {}).update(dict.fromkeys(service.secrets))
    return {component: tuple(fields) for component, fields in found.items()}


def without_secrets_if_external() -> frozenset[str]:
    """The components of which none is made for a service that somebody else runs."""
    return frozenset(service.component for service in ALL_SERVICES if not service.secrets_if_external)


def kept_if_external(settings: Settings) -> frozenset[str]:
    """The settings that later commands need, besides addresses, to reach what somebody else runs."""
    return frozenset(
        f"{service.component}_{field}"
        for service in ALL_SERVICES
        if is_external(service, settings)
        for field in service.kept_if_external
    )


def folders() -> frozenset[str]:
    """What the services have in the data folder."""
    return frozenset(folder for service in ALL_SERVICES for folder in service.folders)
