"""RFC 9457 problem documents: every error of the HTTP API in one shape, in two languages."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct, UnsetType, structs

from meshrelay.errors import RefusedError
from meshrelay.web import comfort, words_easy_problems

CONTENT_TYPE = "application/problem+json"


class Problem(Struct, frozen=True):
    """What went wrong, whom to tell it and what to do next (RFC 9457 with five members more)."""

    type: str
    title: str
    status: int
    code: str
    ja: str
    en: str
    next_ja: str
    next_en: str
    field: str | UnsetType = UNSET


class FieldError(RefusedError):
    """A field of the request is missing or not what was expected."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(
            "bad_field",
            f"項目「{field}」が正しくありません。",
            f"Field `{field}`: {expected}.",
            "内容を直して、もう一度送ってください。",
            "Correct it and send it again.",
            400,
        )
        self.field = field


class WaitError(RefusedError):
    """More requests than a person makes; `seconds` until the next one is taken."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "too_many",
            f"操作が多すぎます。あと{seconds}秒お待ちください。",
            f"Too many requests; wait {seconds} seconds.",
            "待ってから、もう一度試してください。",
            "Wait and try again.",
            429,
        )
        self.seconds = seconds


# status: (code, ja, en, next_ja, next_en)
_BY_STATUS: dict[int, tuple[str, str, str, str, str]] = {
    400: (
        "bad_request",
        "送られた内容を読めませんでした。",
        "The request could not be read.",
        "ページを開き直して、もう一度試してください。",
        "Open the page again and retry.",
    ),
    404: (
        "not_found",
        "このページはありません。",
        "There is no such page.",
        "ホームに戻ってください。",
        "Go back to Home.",
    ),
    405: (
        "method_not_allowed",
        "この操作はここではできません。",
        "This method is not allowed here.",
        "ホームに戻ってください。",
        "Use one of the methods in the Allow header.",
    ),
    413: (
        "too_large",
        "送られた内容が大きすぎます（64 KiBまで）。",
        "The request is larger than 64 KiB.",
        "短くして、分けて送ってください。",
        "Shorten it or send it in parts.",
    ),
    415: (
        "not_json",
        "JSONではない内容が送られました。",
        "The request is not JSON.",
        "Content-Type: application/json で送ってください。",
        "Send it as Content-Type: application/json.",
    ),
    500: (
        "internal",
        "この機器の中で問題が起きました。保存済みのものは失われていません。",
        "Something failed inside this node. Nothing that was stored is lost.",
        "もう一度試し、続くときは担当者に知らせてください。",
        "Try again; if it goes on, tell the person in charge of the machine.",
    ),
    503: (
        "unavailable",
        "この機器は今、受け付けられません。",
        "This node cannot accept anything now.",
        "書いたものはこの端末に残ります。自動でもう一度送ります。",
        "What you wrote stays on this device and is sent again by itself.",
    ),
}


def problem_of(error: RefusedError) -> Problem:
    """The problem document of a refusal."""
    return Problem(
        type=f"urn:meshrelay:problem:{error.code}",
        title=error.en,
        status=error.status,
        code=error.code,
        ja=error.ja,
        en=error.en,
        next_ja=error.next_ja,
        next_en=error.next_en,
        field=error.field if isinstance(error, FieldError) else UNSET,
    )


def problem_for_status(status: int) -> Problem:
    """The problem document of a bare HTTP status (404, 405, 413, 500 …)."""
    code, ja, en, next_ja, next_en = _BY_STATUS.get(
        status, _BY_STATUS[400] if status < 500 else _BY_STATUS[500]
    )
    if status not in _BY_STATUS:
        code = HTTPStatus(status).name.lower()
    return Problem(
        type=f"urn:meshrelay:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        ja=ja,
        en=en,
        next_ja=next_ja,
        next_en=next_en,
    )


def told(problem: Problem, lang: str) -> Problem:
    """The problem with its Japanese in やさしい日本語 for who chose that, where there is any."""
    if lang != "easy" or problem.code not in words_easy_problems.PROBLEMS:
        return problem
    ja, next_ja = words_easy_problems.PROBLEMS[problem.code]
    return structs.replace(problem, ja=ja, next_ja=next_ja)


def problem_page(request: web.Request, problem: Problem) -> web.Response:
    """The problem as an HTTP answer; never cached. Its Japanese is the browser's choice."""
    problem = told(problem, comfort.lang_of(request))
    return web.Response(
        status=problem.status,
        body=msgspec.json.encode(problem),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )


def not_logged_in() -> RefusedError:
    """No seat belongs to this browser (any more)."""
    return RefusedError(
        "not_logged_in",
        "ログインしていません。",
        "You are not logged in.",
        "PINを入れると送信します。書いたものはこの端末に残っています。",
        "Enter your PIN to send. What you wrote is still on this device.",
        401,
    )


def bad_token() -> RefusedError:
    """The CSRF token is missing or of another log-in."""
    return RefusedError(
        "bad_token",
        "このページは古いか、別の人がログインしています。",
        "This page is old, or somebody else has logged in.",
        "ページを開き直してください。",
        "Open the page again.",
        403,
    )


def bad_origin() -> RefusedError:
    """The request was started by a page of another origin."""
    return RefusedError(
        "bad_origin",
        "別のサイトのページからの操作は受け付けません。",
        "Requests started by pages of other sites are refused.",
        "区の機器のアドレスを直接開いてください。",
        "Open the address of the ward's machine itself.",
        403,
    )


def bad_host() -> RefusedError:
    """The Host header is not one of this node's names (DNS rebinding)."""
    return RefusedError(
        "bad_host",
        "このアドレスでは開けません。",
        "This node does not answer to that address.",
        "貼り出してあるアドレスかQRコードを使ってください。",
        "Use the address or the QR code on the poster.",
        421,
    )


def locked() -> RefusedError:
    """The screen was locked after idling; the session is alive."""
    return RefusedError(
        "locked",
        "画面がロックされています。",
        "The screen is locked.",
        "PINを入れると続けられます。",
        "Enter your PIN to go on.",
        423,
    )


def bad_seal() -> RefusedError:
    """The sealed body is not one of our page's."""
    return RefusedError(
        "bad_seal",
        "封をした内容を開けませんでした。",
        "The sealed content could not be opened.",
        "ページを開き直して、もう一度入力してください。",
        "Open the page again and type it again.",
        400,
    )


def stale_seal() -> RefusedError:
    """The challenge in a sealed body was used before, is too old, or is another node's."""
    return RefusedError(
        "stale_seal",
        "この入力はもう使われたか、古くなっています。",
        "This input was used already, or it is too old.",
        "もう一度入力してください。",
        "Type it again.",
        409,
    )


def need_https(address: str) -> RefusedError:
    """Special rights over plain http; `address` is where to go, "" if there is no https here."""
    where_ja = f"{address} を開くか、" if address else ""
    where_en = f"Open {address} or use" if address else "Use"
    return RefusedError(
        "need_https",
        "本部・指示・登録の権限は、暗号化されていない接続では使えません。",
        "HQ, instructor and registrar rights cannot be used over an unencrypted connection.",
        f"{where_ja}機器に直接つないだ画面で操作してください。連絡を書く・読むことはここでもできます。",
        f"{where_en} the screen wired to the machine. Writing and reading messages works here too.",
        403,
    )


def shown_once() -> RefusedError:
    """A page that showed a secret once was opened again."""
    return RefusedError(
        "shown_once",
        "カード番号は一度しか表示しません。",
        "A card code is shown only once.",
        "控えがないときは、もう一枚作ってください。",
        "If nobody kept it, make another card.",
        404,
    )


def not_confirmed(asked: str, asked_en: str) -> RefusedError:
    """The word that confirms a heavy step was not typed."""
    return RefusedError(
        "not_confirmed",
        "確認の言葉が違うため、何も変えていません。",
        "The confirming word was not typed; nothing was changed.",
        f"もう一度開いて、「{asked}」と入れてください。",
        f"Open it again and type {asked_en}.",
        400,
    )
