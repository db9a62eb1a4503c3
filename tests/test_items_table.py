"""An item type is one entry, and one that forgets or contradicts something is refused when the table is made."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.items.item_type import ItemType, Pairing, Parts, Plain, checked
from shared.items.kinds import ASSISTANT_SIDE, Kind
from shared.items.part_types import PART_TYPES
from shared.items.types import ITEM_TYPES
from shared.items.types_shapes import SHAPES

ROOT = Path(__file__).parents[1]
MESSAGE, CALL, OUTPUT = ITEM_TYPES["message"], ITEM_TYPES["function_call"], ITEM_TYPES["function_call_output"]
HOSTED = ITEM_TYPES["web_search_call"]


@pytest.mark.parametrize("missing", ItemType._fields)
def test_no_part_of_an_entry_can_be_left_out(missing: str) -> None:
    fields: dict[str, Any] = MESSAGE._asdict()
    del fields[missing]

    with pytest.raises(TypeError, match=missing):
        ItemType(**fields)


@pytest.mark.parametrize(
    ("faulty", "fault"),
    [
        ({"a": CALL._replace(pairing=None)}, "a pairs without being call or output"),
        ({"a": MESSAGE._replace(pairing=CALL.pairing)}, "a pairs without being call or output"),
        ({"a": HOSTED._replace(kind_by=("by", {"client": Kind.CALL}))}, "a pairs without being"),
        ({"a": MESSAGE._replace(chat=None)}, "a is a message without chat form"),
        ({"a": HOSTED._replace(chat=CALL.chat)}, "a has a chat form, but neither"),
        ({"a": HOSTED._replace(kind=Kind.SUMMARY)}, "a is a summary"),
        ({"a": HOSTED._replace(parts=Parts("content", ("sound",), (), "kept"))}, r"unknown types: \['sound'\]"),
        ({"a": MESSAGE._replace(plain=Plain(frozenset(), {"content": None}))}, "plain fields that are parts"),
        ({"a": HOSTED._replace(plain=Plain(frozenset({"name"}), {}))}, "or required ones that are none"),
        ({"a": HOSTED, "b": MESSAGE._replace(id_prefix=HOSTED.id_prefix)}, "share an id prefix"),
        ({"a": CALL}, "The family function is not one type of call and one of outputs"),
        ({"a": CALL, "b": OUTPUT, "c": CALL._replace(id_prefix="c")}, "The family function is not"),
        ({"a": CALL, "b": OUTPUT._replace(pairing=Pairing("custom", ("call_id",)))}, "The family function is not"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(faulty: dict[str, ItemType], fault: str) -> None:
    with pytest.raises(TypeError, match=fault):
        checked(faulty)


def test_the_shapes_are_exactly_those_that_entries_name() -> None:
    # It says so itself, when it is imported.
    import shared.items.types_check  # noqa: F401

    named = {item_type.shape for item_type in ITEM_TYPES.values()} | {
        part_type.shape for part_type in PART_TYPES.values()
    }
    assert named == SHAPES.keys()


@pytest.mark.parametrize(
    "change",
    [
        "types.ITEM_TYPES['program'] = types.ITEM_TYPES['program']._replace(shape='Programme')",
        "types_shapes.SHAPES['Telepathy'] = dict",
    ],
)
def test_a_shape_that_is_missing_or_spare_is_an_import_error(change: str) -> None:
    program = f"from shared.items import types, types_shapes\n{change}\nimport shared.items.types_check"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)

    assert ran.returncode == 1
    assert re.search(r"ImportError: Shapes .*(Programme|Telepathy)", ran.stderr)


def test_the_store_s_script_knows_the_kinds_of_a_response() -> None:
    script = (ROOT / "shared/store/scripts/conversation/summary.lua").read_text()
    [letters] = re.findall(r"ASSISTANT_SIDE = \{([^}]*)\}", script)

    assert {Kind(letter) for letter in re.findall(r"(\w) = true", letters)} == ASSISTANT_SIDE
