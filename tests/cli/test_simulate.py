"""Scenario files as people get them wrong, and figures that come out differently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.session import say

SCENARIO = """\
name: a day
terms: {method: anytime, principal: "300000", rate: 0.048%/day, start: 2017-05-01, term: 90d}
as_of: [2017-05-02]
expect:
  - {as_of: 2017-05-02, interest: "144.00", principal: "1.00"}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe", "byte 1 is not UTF-8"),
        (b"name: [", "line 1: "),
        (b"name: a\nname: b\n", "line 2: 'name' stands twice"),
        (b"1: a\n", "line 1: key 1 is not a word"),
        (b"!!python/object/apply:os.system ['true']", "line 1: could not determine a constructor"),
        (b"[" * 5000, "nested too deeply"),
        (b"just words", "a scenario is a mapping"),
        (b"terms: {}\n", "terms."),
        (b"colour: red\n", "'colour' cannot be used"),
        (b"", "a scenario is a mapping"),
    ],
)
def test_a_file_that_is_no_scenario_is_bad_input_in_one_line(text: bytes, said: str) -> None:
    Path("bad.yaml").write_bytes(text)
    answer = say("simulate", "bad.yaml")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err


def test_json_is_read_as_well_and_a_key_given_twice_is_a_fault() -> None:
    Path("bad.json").write_text('{"name": "a", "name": "b"}')
    assert "'name' stands twice" in say("simulate", "bad.json").err
    Path("good.json").write_text(
        json.dumps(
            {
                "terms": {
                    "method": "anytime",
                    "principal": "10",
                    "rate": "0%/day",
                    "start": "2024-01-01",
                    "term": "3d",
                }
            }
        )
    )
    assert say("simulate", "good.json").status == 0


def test_a_figure_that_differs_is_named_and_the_exit_status_is_6() -> None:
    Path("day.yaml").write_text(SCENARIO)
    answer = say("simulate", "day.yaml")
    assert answer.status == 6
    assert answer.err == "as_of 2017-05-02: principal should be 1.00, is 300000.00\n"


def test_differences_are_in_the_document_too() -> None:
    Path("day.yaml").write_text(SCENARIO)
    answer = say("simulate", "day.yaml", "--json")
    assert answer.status == 6
    assert json.loads(answer.out)["failures"] == [
        {"where": "as_of 2017-05-02", "field": "principal", "expected": "1.00", "got": "300000.00"}
    ]
    assert answer.err.count("\n") == 1
