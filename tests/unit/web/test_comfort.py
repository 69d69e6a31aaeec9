"""やさしい日本語, the size of text, the colours: chosen by a link or form, kept by the browser."""

from __future__ import annotations

import pytest

from tests.office_fake import CARD, FakeOffice
from tests.unit.web.conftest import HTML, Browser
from tests.unit.web.test_desk_pages import press, shown

WRONG_PIN = {"staff": "1001", "card": CARD, "pin": "000000"}


async def test_easy_japanese_is_chosen_by_a_link_and_kept_by_a_cookie(sato: Browser) -> None:
    home = await shown(sato, "/?lang=easy")
    rooms = await shown(sato, "/rooms")

    assert '<html lang="ja">' in home and "ぜんぶ本部にとどきました。" in home
    assert '"lang":"ja"' in rooms and "人と話す" in rooms


async def test_from_every_language_each_other_one_is_a_tap_away(sato: Browser) -> None:
    for lang, others in {"ja": "easy en", "easy": "ja en", "en": "ja easy"}.items():
        text = await shown(sato, f"/?lang={lang}")

        assert [each for each in ("ja", "easy", "en") if f'href="/?lang={each}"' in text] == sorted(
            others.split(), key="ja easy en".index
        )


@pytest.mark.parametrize("path", ["/login", "/settings"])
async def test_log_in_and_settings_list_all_languages(sato: Browser, path: str) -> None:
    text = await shown(sato, path)

    for lang, name in {"ja": "日本語", "easy": "やさしい日本語", "en": "English"}.items():
        assert f'href="{path}?lang={lang}"' in text and f">{name}</a>" in text


async def test_a_language_link_keeps_what_was_asked(sato: Browser) -> None:
    text = await shown(sato, "/search?q=%E6%AF%9B%E5%B8%83&lang=en")

    assert 'href="/search?q=%E6%AF%9B%E5%B8%83&amp;lang=easy"' in text


async def test_a_refusal_on_a_page_is_easy_for_who_chose_that(browser: Browser) -> None:
    answer = await browser.client.post("/login?lang=easy", data=WRONG_PIN, headers=HTML)

    text = await answer.text()
    assert "PINがちがいます。" in text and "もう一回入れてください。" in text


async def test_a_refusal_for_a_script_is_easy_only_for_who_chose_that(browser: Browser) -> None:
    before = await (await browser.post("/api/login", WRONG_PIN)).json()
    await browser.get("/login?lang=easy", headers=HTML)
    after = await (await browser.post("/api/login", WRONG_PIN)).json()

    assert (before["ja"], after["ja"]) == ("PINが違います。", "PINがちがいます。")
    assert before["en"] == after["en"] and before.keys() == after.keys()


async def test_size_and_colours_are_kept_and_hold_on_every_page(
    sato: Browser, office: FakeOffice
) -> None:
    done = await press(sato, "/settings/comfort", size="largest", colours="dark")

    assert done[:2] == (303, "/settings?done=comfort")
    for path in ("/", "/rooms/all", "/settings", "/nothing-here", "/login"):
        text = await (await sato.get(path, headers=HTML)).text()
        assert '<html lang="ja" class="text-largest dark">' in text
        assert '<meta name="color-scheme" content="dark">' in text
    settings = await shown(sato, "/settings")
    assert 'value="largest" checked' in settings and 'value="dark" checked' in settings


async def test_a_choice_can_be_taken_back(sato: Browser) -> None:
    await press(sato, "/settings/comfort", size="large", colours="light")
    await press(sato, "/settings/comfort", size="normal", colours="auto")

    assert '<html lang="ja">' in await shown(sato, "/settings")


@pytest.mark.parametrize("cookie", ["mr-size", "mr-colours", "mr-lang"])
async def test_a_forged_cookie_is_no_choice(browser: Browser, cookie: str) -> None:
    browser.client.session.cookie_jar.update_cookies({cookie: 'x"><b>'})

    text = await shown(browser, "/login")
    assert '<html lang="ja">' in text and "<b>" not in text


async def test_a_form_without_its_token_chooses_nothing(sato: Browser) -> None:
    answer = await sato.client.post(
        "/settings/comfort", data={"size": "largest"}, headers=HTML, allow_redirects=False
    )

    assert answer.status == 403 and "mr-size" not in answer.cookies


async def test_a_name_in_another_language_says_so(sato: Browser, office: FakeOffice) -> None:
    english, japanese = await shown(sato, "/?lang=en"), await shown(sato, "/?lang=ja")

    assert '<strong lang="ja">佐藤 花子</strong>' in english
    assert "<strong>佐藤 花子</strong>" in japanese


async def test_paper_says_which_network_which_machine_and_when(
    sato: Browser, office: FakeOffice
) -> None:
    text = await shown(sato, "/rooms")

    assert "大阪市 · 北区役所の機器 · <time>2026-11-18 20:06</time>" in text
