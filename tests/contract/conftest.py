"""Each test of a port runs once for each of its implementations, and where it takes a fault, once for each of those."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from scripts.faults.server import FaultyServer
from tests.contract.stores import STORES, Rig, StoreKind

FAULTS = ("lost", "stalled", "refused")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let *store_kind* be every implementation, and *lost* and its like every fault that this one knows by the name."""
    if "store_kind" not in metafunc.fixturenames:
        return
    names = [name for name in FAULTS if name in metafunc.fixturenames]
    if not names:
        metafunc.parametrize("store_kind", STORES)
        return
    [name] = names
    rows = [
        pytest.param(kind, fault, id=f"{row.id}-{fault.name}", marks=row.marks)
        for row in STORES
        for kind in row.values
        for fault in getattr(kind, name)
    ]
    metafunc.parametrize(("store_kind", name), rows)


@pytest.fixture
def rig(store_kind: StoreKind, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with store_kind.start(request) as rig:
        yield rig


@pytest.fixture
def wire(rig: Rig) -> FaultyServer:
    return rig.wire


@pytest.fixture
def key(rig: Rig) -> Iterator[str]:
    """A name in the store that nothing else uses."""
    name = f"wt1:contract:{uuid4().hex}"
    yield name
    rig.run("DEL", name)
