"""A scenario is read strictly: every mistake is named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.cli.demo.scenario import Fact
from meshrelay.cli.demo.scenario_reader import load_scenario, parse_scenario
from meshrelay.errors import ConfigError

GOOD = """\
name = "two wards"

[[person]]
id = "sakura"
name = "天満 さくら"
ward = "北区"
roles = ["staff"]

[[person]]
id = "ken"
name = "本町 健"
ward = "02"
roles = ["staff", "hq"]
unit = "避難所班"

[[step]]
at_s = 1
do = "send"
as = "sakura"
node = "kita"
room = "all"
text = "無事です"
id = "m1"

[[step]]
at_s = 2.5
do = "cut"
cable = "lan:北区-chuo"

[[step]]
at_s = 3
do = "read"
as = "ken"
node = "chuo"
id = "m1"

[[step]]
at_s = 3
do = "power"
node = "broker"

[[expect]]
by_s = 4
what = "m1 word 他の区"

[[expect]]
after_s = 2
by_s = 4
what = "any word 本部 at chuo"
never = true
"""


def test_a_good_scenario_is_read_whole() -> None:
    scenario = parse_scenario(GOOD, "two.toml")

    assert scenario.name == "two wards"
    assert [person.ward for person in scenario.people] == ["01", "02"]
    assert [step.do for step in scenario.steps] == ["send", "cut", "read", "power"]
    assert scenario.steps[1].cables == ("lan:kita-chuo",)
    assert scenario.steps[2].room == "all"
    assert scenario.expectations[0].fact == Fact("word", "m1", word="wards")
    assert scenario.expectations[1].fact == Fact("word", "", "chuo", "archive")
    assert scenario.end_s == 4
    assert scenario.rooms == ("all",)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('name = "two wards"', 'name = "two wards"\ncolour = 1', 2, "colour: unknown key"),
        ('unit = "避難所班"', 'age = "7"', 14, "person.age: unknown key"),
        ('ward = "北区"', 'ward = "福島区"', 6, "no place '福島区'"),
        ('roles = ["staff"]', 'roles = ["king"]', 7, "person.roles: expected a list"),
        ('id = "ken"', 'id = "sakura"', 10, "sakura is there already"),
        ('do = "send"', 'do = "sing"', 18, "step.do: cannot 'sing'"),
        ('as = "sakura"', 'as = "tanaka"', 19, "no person 'tanaka'"),
        ('node = "kita"', 'node = "minami"', 20, "no place 'minami'"),
        ('room = "all"', 'room = "unit:水道班"', 21, "nobody of this scenario"),
        ('room = "all"', 'room = "everybody"', 21, "no room 'everybody'"),
        ('text = "無事です"', "text = 7", 22, "step.text: expected a text"),
        ('text = "無事です"\n', "", 16, "text is missing"),
        ("at_s = 2.5", "at_s = 0.5", 26, "goes back in time"),
        ("at_s = 2.5", "at_s = nan", 26, "expected seconds"),
        ("at_s = 2.5", 'at_s = "later"', 26, "expected a number"),
        ('cable = "lan:北区-chuo"', 'cable = "lan:hq-kita"', 28, "step.cable: expected wan"),
        ('node = "broker"', 'node = "router"', 40, "step.node: expected hq"),
        ('what = "m1 word 他の区"', 'what = "m9 word 他の区"', 44, "no message 'm9'"),
        ('what = "m1 word 他の区"', 'what = "m1 word 届いた"', 44, "cannot read"),
        ('what = "m1 word 他の区"', 'what = ""', 44, "expected a text"),
        ("after_s = 2\n", "after_s = 5\n", 47, "expected less than by_s"),
        ("never = true", 'never = "yes"', 50, "expected true or false"),
        ("[[person]]", "[person", 3, "not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD

    with pytest.raises(ConfigError) as refused:
        parse_scenario(GOOD.replace(old, new, 1), "two.toml")

    assert str(refused.value).startswith(f"two.toml:{line}: ")
    assert words in str(refused.value)


@pytest.mark.parametrize("table", ["person", "step"])
def test_a_scenario_without_people_or_steps_is_refused(table: str) -> None:
    text = "\n\n".join(part for part in GOOD.split("\n\n") if f"[[{table}]]" not in part)

    with pytest.raises(ConfigError, match=r"two\.toml:"):
        parse_scenario(text, "two.toml")


def test_one_id_may_be_sent_at_two_nodes_but_not_with_another_text() -> None:
    again = '\n[[step]]\nat_s = 5\ndo = "send"\nas = "sakura"\nnode = "chuo"\nroom = "all"\n'
    parse_scenario(GOOD + again + 'text = "無事です"\nid = "m1"\n', "two.toml")

    with pytest.raises(ConfigError, match="another person, room or text"):
        parse_scenario(GOOD + again + 'text = "無事でない"\nid = "m1"\n', "two.toml")


def test_headers_inside_a_long_text_do_not_move_the_line_numbers() -> None:
    text = GOOD.replace('text = "無事です"', 'text = """\n[[step]]\nat_s = 9\n"""')

    with pytest.raises(ConfigError, match=r"two\.toml:29: step\.at_s: goes back"):
        parse_scenario(text.replace("at_s = 2.5", "at_s = 0.5"), "two.toml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml:1: cannot be read"):
        load_scenario(tmp_path / "none.toml")


def test_the_shipped_story_is_as_big_as_it_was_ordered() -> None:
    path = Path(__file__).parents[2] / "scenarios" / "osaka-2019.toml"
    scenario = load_scenario(path)

    sends = [step for step in scenario.steps if step.do == "send"]
    assert len({step.id for step in sends}) >= 40
    assert len({step.person for step in sends}) == len(scenario.people) == 6
    assert len(scenario.rooms) == 3
    assert len(scenario.expectations) >= 20
    assert sum(expectation.never for expectation in scenario.expectations) >= 5
    assert any(step.do == "kill" for step in scenario.steps)
    assert len(sends) > len({step.id for step in sends})  # one id at two nodes
