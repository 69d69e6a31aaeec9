"""`meshrelay archive` as an operator types it; the copies themselves are in unit/node."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from meshrelay.core.entry import LogId
from meshrelay.core.signing import Signer
from meshrelay.node.identity import load_keys
from meshrelay.store.blobs import BlobStore
from meshrelay.store.log import LogStore
from tests.unit.cli.shell import Shell, enrol
from tests.unit.core.city import make_entry, note
from tests.unit.store.disks import commit_of, opened, write


@pytest.fixture
def node(shell: Shell, net: str) -> str:
    """An enrolled node that ran once, and wrote one entry."""
    directory = enrol(shell, net, "北区", "--ward", "01", "--ward-name", "北区")
    say(opened(Path(directory)), directory)
    return directory


def say(store: LogStore, directory: str) -> None:
    keys = load_keys(Path(directory))
    log = LogId(keys.signer.public, os.urandom(8), 1)
    entry = make_entry(keys.signer, keys.network, log, 1, log.first_prev, 1, 0, note("水"))
    write(store, commit_of([entry], [each for each in keys.records() if each.lane is not None]))
    store.connection.close()


@pytest.fixture
def stick(shell: Shell) -> str:
    os.mkdir(shell.path("stick"))
    return shell.path("stick")


def test_backup_verify_and_restore_follow_each_other(shell: Shell, node: str, stick: str) -> None:
    made = shell.ok("archive", "backup", stick, "--from", node)
    assert (made["name"], made["entries"], made["same_disk"]) == ("北区役所", 1, True)
    assert made["node"] == load_keys(Path(node)).signer.public.hex()

    (row,) = shell.ok("archive", "verify", stick)["copies"]
    assert row == {key: made[key] for key in row if key != "good"} | {"good": True}

    os.remove(f"{node}/log.db")
    done = shell.ok("archive", "restore", stick, "--into", node)
    assert done["own"] and done["lost"] == {"entries": 0, "own": 0, "records": 0}
    assert done["kept"] is None and done["entries"] == 1


def test_people_read_when_how_much_and_where(
    shell: Shell, node: str, stick: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from meshrelay.cli.main import main

    assert main(["archive", "backup", stick, "--from", node]) == 0
    said = capsys.readouterr().out
    assert "北区役所" in said and "1 entry" in said and "copy-000001" in said
    assert "WARNING" in said and "own disk" in said
    assert main(["archive", "verify", stick]) == 0
    assert capsys.readouterr().out.startswith("good  北区役所")
    assert main(["archive", "restore", stick, "--into", node]) == 0
    said = capsys.readouterr().out
    assert "made by this node" in said and "log.db.before" in said


def test_one_copy_that_is_not_good_ends_verify_with_1(
    shell: Shell, node: str, stick: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from meshrelay.cli.main import main

    first = shell.ok("archive", "backup", stick, "--from", node)["copy"]
    second = shell.ok("archive", "backup", stick, "--from", node)["copy"]
    with open(f"{second}/log.db", "r+b") as file:
        file.truncate(9_000)

    assert main(["archive", "verify", stick]) == 1
    good, bad, photos = capsys.readouterr().out.splitlines()
    assert photos == "good  0 photos and files"
    assert good.startswith("good") and first in good
    assert bad.startswith("NOT GOOD") and second in bad and "壊れています" in bad
    assert main(["archive", "verify", first]) == 0
    assert main(["archive", "verify", os.path.dirname(first)]) == 1
    capsys.readouterr()
    assert "is not what was copied" in shell.refused(1, "archive", "restore", stick, "--into", node)
    assert shell.ok("archive", "restore", first, "--into", node)["copy"] == first


def test_verify_counts_the_photos_that_are_whole_and_names_one_that_is_not(
    shell: Shell, node: str, stick: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from meshrelay.cli.main import main

    upload = BlobStore(Path(node) / "blobs").upload()
    upload.write(b"the roof of the gym " * 2_000)
    photo = upload.finish().hex()
    folder = Path(shell.ok("archive", "backup", stick, "--from", node)["copy"]).parent
    assert main(["archive", "verify", stick]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "good  1 photo or file"

    kept = folder / "blobs" / photo[:2] / photo
    with kept.open("r+b") as file:
        file.seek(20_000)
        file.write(b"flipped")

    assert main(["archive", "verify", stick]) == 1
    good, none, bad = capsys.readouterr().out.splitlines()
    assert good.startswith("good  北区役所") and none == "good  0 photos and files"
    assert bad.startswith("NOT GOOD") and str(kept) in bad and "next backup" in bad
    kept.unlink()
    shell.ok("archive", "backup", stick, "--from", node)
    assert shell.ok("archive", "verify", stick)["blobs"] == 1


@pytest.mark.parametrize(
    ("journal", "named"), [(b"", "log.db.before;"), (bytes(32), "log.db.before-wal;")]
)
def test_all_that_was_there_is_kept_and_named_but_no_empty_journal(
    shell: Shell,
    node: str,
    stick: str,
    journal: bytes,
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from meshrelay.cli.main import main

    shell.ok("archive", "backup", stick, "--from", node)
    Path(f"{node}/log.db-wal").write_bytes(journal)
    assert main(["archive", "restore", stick, "--into", node]) == 0
    assert Path(f"{node}/log.db.before").exists()
    assert Path(f"{node}/log.db.before-wal").exists() == bool(journal)
    assert named in capsys.readouterr().out


def test_what_is_not_there_is_answered_with_the_next_step(
    shell: Shell, net: str, node: str, stick: str
) -> None:
    backup, restore = ("archive", "backup"), ("archive", "restore")
    assert "Plug it in" in shell.refused(1, *backup, shell.path("away"), "--from", node)
    assert "holds no copy" in shell.refused(2, "archive", "verify", stick)
    assert "no copy of this node" in shell.refused(1, *restore, stick, "--into", node)
    assert "node request" in shell.refused(2, *backup, stick, "--from", shell.path("nowhere"))
    assert "node request" in shell.refused(2, *restore, stick, "--into", net)
    os.remove(f"{node}/log.db")
    assert "never ran" in shell.refused(2, *backup, stick, "--from", node)
    os.remove(f"{node}/enrolment.cbor")
    assert "node enrol" in shell.refused(2, *restore, stick, "--into", node)


def test_a_copy_of_another_network_is_refused(shell: Shell, node: str, stick: str) -> None:
    shell.ok("archive", "backup", stick, "--from", node)
    other = shell.path("other")
    shell.ok("network", "create", other, "--name", "堺市", "--no-passphrase")
    foreign = enrol(shell, other, "堺", "--ward", "01", "--ward-name", "堺区")

    assert "another network" in shell.refused(1, "archive", "restore", stick, "--into", foreign)
    assert not os.path.exists(f"{foreign}/log.db")


def test_a_copy_signed_by_a_strangers_key_is_refused(shell: Shell, node: str, stick: str) -> None:
    good = Path(shell.ok("archive", "backup", stick, "--from", node)["copy"])
    stranger = shell.path("stranger")
    shutil.copytree(node, stranger)
    Path(stranger, "keys", "node.key").write_text(f"{'5' * 64}\n")
    public = Signer(bytes.fromhex("5" * 64)).public.hex()
    forged = shell.ok("archive", "backup", stick, "--from", stranger)

    assert forged["node"] == public
    assert "no node of the network" in shell.refused(
        1, "archive", "restore", forged["copy"], "--into", node
    )
    assert shell.ok("archive", "restore", str(good), "--into", node)["own"]


def test_another_user_than_the_nodes_own_is_sent_to_it(shell: Shell, node: str, stick: str) -> None:
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must run this as root: it gives a directory away")
        pytest.skip("giving a directory away needs root")
    os.chown(node, 1, 1)  # daemon, on every Debian

    for words in (("backup", stick, "--from", node), ("restore", stick, "--into", node)):
        assert "sudo -u daemon meshrelay archive" in shell.refused(2, "archive", *words)
