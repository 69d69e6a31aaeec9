"""Small pure helpers of the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from meshrelay.cli.node_toml import NodeToml, with_ward
from meshrelay.cli.words import proquint, six_words
from meshrelay.node.config import load


def test_proquints_are_those_of_the_paper() -> None:
    # 127.0.0.1 is lusab-babad there.
    assert proquint(0x7F00) == "lusab"
    assert proquint(0x0001) == "babad"


def test_six_words_change_with_one_bit() -> None:
    assert len(six_words(b"a").split()) == 6
    assert six_words(b"a") != six_words(b"b")


def test_the_configuration_is_toml_whatever_the_name() -> None:
    settings = NodeToml('北区 "A" \\ 役所', peers=("127.0.0.1:1", "[::1]:2"), tls=False)
    table = tomllib.loads(settings.render())

    assert table["node"]["name"] == '北区 "A" \\ 役所'
    assert table["lan"]["peers"] == ["127.0.0.1:1", "[::1]:2"]
    assert table["mqtt"]["tls"] is False
    assert table["witness"]["dir"] == "/dev/shm"


def test_enrolment_sets_the_ward_and_keeps_comments() -> None:
    text = NodeToml("北区役所").render()
    filled = with_ward(text, "01")

    assert tomllib.loads(filled)["node"]["ward"] == "01"
    assert filled.replace('ward = "01"', 'ward = ""') == text


def test_enrolment_adds_the_ward_to_a_file_without_it() -> None:
    text = '# mine\n[web]\nlisten = "127.0.0.1:1"\n[node]\nname = "x"\n'

    assert tomllib.loads(with_ward(text, "02"))["node"] == {"ward": "02", "name": "x"}
    assert tomllib.loads(with_ward("", "02"))["node"] == {"ward": "02"}


def test_the_sample_is_what_a_node_reads_and_names_every_key(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(NodeToml("北区役所", broker="192.0.2.1:8883").render(), "utf-8")
    config = load(path)

    table = tomllib.loads(path.read_text("utf-8"))
    assert table == msgspec.to_builtins(config)
    assert config.node.name == "北区役所"
