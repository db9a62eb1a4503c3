"""Each test of a port runs once for each of its implementations, and where it takes a fault, once for each of those."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from shared.store.upstash import Store
from tests.contract.objects import OBJECT_STORES, ObjectKind, ObjectRig
from tests.contract.stores import STORES, Rig, StoreKind, Wire

PORTS: dict[str, list[Any]] = {"store_kind": STORES, "object_kind": OBJECT_STORES}
FAULTS = ("lost", "stalled", "refused", "broken", "silent")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a port be each of its implementations, and *lost* and its like each fault that this one knows by the name."""
    for port in PORTS.keys() & set(metafunc.fixturenames):
        faults = [name for name in FAULTS if name in metafunc.fixturenames]
        if not faults:
            metafunc.parametrize(port, PORTS[port])
            continue
        [name] = faults
        rows = [
            pytest.param(kind, fault, id=f"{row.id}-{getattr(fault, 'name', fault)}", marks=row.marks)
            for row in PORTS[port]
            for kind in row.values
            for fault in getattr(kind, name)
        ]
        metafunc.parametrize((port, name), rows)


@pytest.fixture
def rig(store_kind: StoreKind, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with store_kind.start(request) as rig:
        yield rig


@pytest.fixture
async def store(rig: Rig) -> AsyncIterator[Store]:
    """A client with the times that instances use."""
    store = rig.open()
    yield store
    await store.close()


@pytest.fixture
def wire(rig: Rig) -> Wire:
    return rig.wire


@pytest.fixture
def key(rig: Rig) -> Iterator[str]:
    """A name in the store that nothing else uses."""
    name = f"wt2:contract:{uuid4().hex}"
    yield name
    rig.run("DEL", name)


@pytest.fixture
def object_rig(object_kind: ObjectKind, request: pytest.FixtureRequest) -> Iterator[ObjectRig]:
    with object_kind.start(request) as rig:
        yield rig
