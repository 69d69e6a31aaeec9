"""What is said of copies: the stick's README.txt and every refusal, with the next step."""

from __future__ import annotations

from pathlib import Path

from meshrelay.errors import RefusedError

README = """\
これは meshrelay（区役所の中継機）の控えです。
meshrelay-… という名前のフォルダーが機器1台ぶんで、copy-… がその時点の記録のすべてです。
誰が何を書いたかが読めます。暗号化されていません。鍵のかかる場所に保管してください。
機器の鍵は入っていません。鍵は機器の外に出ません。このUSBメモリーを拾った人は、
機器になりすますことはできません。
ファイルを書き換えたり移動したりしないでください。

確かめる:  meshrelay archive verify このフォルダー
戻す:      機器を止めてから  meshrelay archive restore このフォルダー --into 機器のフォルダー
機器ごと壊れたときの手順は、説明書 README.md の "Back up and replace" にあります。

This is a backup of meshrelay, the relay node of a ward office.
A folder meshrelay-... belongs to one node; copy-... in it is all that it held at one moment.
It says who wrote what, and it is not encrypted: keep it under lock and key.
The node's keys are not in it, they never leave the device: whoever finds this stick cannot
pose as the node.
Do not change or move the files.

Check it:   meshrelay archive verify THIS-FOLDER
Restore it: stop the node, then  meshrelay archive restore THIS-FOLDER --into NODE-FOLDER
What to do when the whole device is dead: README.md, "Back up and replace".
"""


def no_stick(stick: Path) -> RefusedError:
    return RefusedError(
        "no_stick",
        f"控えを書くUSBメモリーがありません（{stick}）。",
        f"The stick for backups is not there ({stick}).",
        "差し込んでください。",
        "Plug it in.",
    )


def same_disk(stick: Path) -> RefusedError:
    return RefusedError(
        "no_stick",
        f"控えの書き先（{stick}）が機器自身のディスクにあります。USBメモリーが差さっていません。",
        f"The folder for backups ({stick}) is on the node's own disk: the stick is not mounted.",
        "差し込んでください。",
        "Plug it in.",
    )


def full(stick: Path, wanted: int = 0) -> RefusedError:
    mb = f"{wanted / 1e6:.0f} MB"
    return RefusedError(
        "stick_full",
        f"控えを書くUSBメモリーに空きがありません（{stick}{f'、必要 {mb}' if wanted else ''}）。",
        f"The stick for backups has no space left ({stick}{f', needs {mb}' if wanted else ''}).",
        "前の控えは残っています。大きいものに替えてください。",
        "The older copies are kept. Put in a larger one.",
    )


def failed(where: Path, reason: str | None) -> RefusedError:
    return RefusedError(
        "stick_failed",
        f"控えのUSBメモリーを読み書きできません（{where}：{reason}）。",
        f"The stick for backups cannot be read or written ({where}: {reason}).",
        "差し直し、それでもだめなら別のものに替えてください。",
        "Plug it in again; if that does not help, use another.",
    )


def busy(where: Path, reason: str) -> RefusedError:
    return RefusedError(
        "backup_busy",
        f"今は控えを取れません（{where}）。",
        f"No copy can be made now ({where}: {reason}).",
        "あとでもう一度行います。",
        "Try again later; the node does so by itself.",
    )


def damaged(where: Path, reason: str) -> RefusedError:
    return RefusedError(
        "copy_damaged",
        f"記録が壊れています（{where}）。",
        f"Damaged: {where}: {reason}.",
        "この控えは使わず、別の控えを使ってください。機器自身の記録なら、機器を替えてください。",
        "Use another copy. If it is the node's own log.db, replace the node.",
    )


def no_copy(where: Path, folders: list[Path]) -> RefusedError:
    names = ", ".join(str(each) for each in folders)
    return RefusedError(
        "no_copy",
        f"この機器の控えがありません（{where}）。",
        f"There is no copy of this node ({where}).",
        f"どの機器のものかを指定してください：{names}"
        if names
        else "フォルダーを確かめてください。",
        f"Name the one you mean: {names}" if names else "Check the directory.",
    )


def no_room(directory: Path, wanted: int) -> RefusedError:
    mb = f"{wanted / 1e6:.0f} MB"
    return RefusedError(
        "no_room",
        f"機器のディスクに空きがありません（{directory}、必要 {mb}）。",
        f"The node's disk has no space for the copy ({directory}, needs {mb}).",
        "空きを作ってから、もう一度行ってください。",
        "Free some space and try again.",
    )
