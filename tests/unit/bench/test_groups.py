import json

import pytest

from ostinato.bench.groups import GROUPS, ROWS, Row, as_json, from_json, groups_by_name
from ostinato.core.errors import ConfigError


def test_rows_are_read_as_they_are_written():
    assert Row.parse("N128 T10 D1 H32") == Row(128, 10, 1, 32)
    assert all(Row.parse(str(row)) == row for row in ROWS)
    assert str(Row.parse("N20T35H650")) == "N20 T35 H650"


@pytest.mark.parametrize("text", ["20x35x100", "N20T35", "N0T35H100", "N20T35H100 please", ""])
def test_another_row_is_refused(text):
    with pytest.raises(ConfigError, match="expected sizes"):
        Row.parse(text)


def test_any_registered_cell_is_a_group():
    (group,) = groups_by_name(("jordan",))
    assert (group.cell, group.peers) == ("jordan", ("loop",))
    assert groups_by_name(()) == list(GROUPS)
    with pytest.raises(ConfigError, match=r"lstn.*there are lstm, gru"):
        groups_by_name(("lstn",))


def test_a_group_crosses_to_another_process():
    assert [from_json(json.loads(json.dumps(as_json(group)))) for group in GROUPS] == list(GROUPS)


def test_what_is_measured_where():
    by_name = {group.name: group for group in GROUPS}
    assert Row(1, 1, 256, 256) in by_name["lstm"].rows()
    assert all(row.N > 1 and row.T > 1 for row in by_name["ragged"].rows())
    assert all(row.T > 1 for row in by_name["inference-gru"].rows())
