"""The dashboard's conversations in a real browser: what is shown is what the API says, to their tenant only."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from scripts.pictures.browser import running_browser, unlock
from shared.context.render import FORMATS
from tests.browsers import needs_chromium, quiet_page
from tests.dashboards import AS_RECORDED

pytestmark = [needs_chromium, pytest.mark.unmeasured]

SENT = {
    "items": ["input"],
    "anthropic": ["system", "messages"],
    "gemini": ["system_instruction", "contents"],
    "text": ["text"],
}
"""Format -> the members that go to the model."""


def wanted(budget: int, sent: str = "chat") -> dict[str, str | int]:
    """The parameters of what a page shows, explained."""
    return {"budget": budget, "model": "gpt-4o", "format": sent, "explain": "true"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser, service_url: str) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=service_url)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    with quiet_page(context) as page:
        yield page


@pytest.fixture
def dialogue(api: httpx.Client) -> str:
    """The id of a recorded conversation."""
    return str(api.post("/v1/conversations", json=AS_RECORDED).json()["id"])


def opened(page: Page, key: str, conversation: str) -> None:
    """Look into *conversation*."""
    unlock(page, "", f"conversations/{conversation}", key)
    expect(page.locator("#verdict")).to_contain_text("tokens are sent")


def ask_for(page: Page, action: Callable[[], object]) -> dict[str, Any]:
    """Do what makes the page ask for a context; return that context once it is shown."""
    with page.expect_response(lambda response: "/context?" in response.url) as answer:
        action()
    context: dict[str, Any] = answer.value.json()
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
    return context


def states(page: Page) -> list[str | None]:
    """What the bar shows of each unit."""
    found: list[str | None] = page.locator("#bar [role=option]").evaluate_all(
        "all => all.map(one => one.dataset.state)"
    )
    return found


def test_the_slider_keeps_what_the_api_keeps(page: Page, api: httpx.Client, key: str, dialogue: str) -> None:
    opened(page, key, dialogue)
    seen = []
    for place in ("400", "850", "1000", "600"):
        shown = ask_for(page, partial(page.get_by_label("Budget, in tokens").fill, place))
        told = api.get(f"/v1/conversations/{dialogue}/context", params=wanted(shown["budget"])).json()

        assert page.get_by_label("Budget, exactly").input_value() == str(told["budget"])
        assert states(page) == [row["state"] for row in told["explanation"]["units"]]
        assert json.loads(page.locator("#request").inner_text()) == {"messages": told["messages"]}
        expect(page.locator("#verdict")).to_contain_text(f"{told['tokens']:,} of {told['budget']:,} tokens are sent")
        seen.append(states(page).count("kept"))

    assert seen[0] < seen[3] < seen[1] < seen[2]


def test_a_budget_is_taken_from_the_first_answer_on(page: Page, key: str, dialogue: str) -> None:
    held: list[Route] = []
    page.route("**/context?*", lambda route: held.append(route), times=1)  # noqa: PLW0108  # Builtins have no signature.
    with page.expect_request("**/context?*"):
        unlock(page, "", f"conversations/{dialogue}", key)
    expect(page.locator("#choices input[id^=budget]:disabled")).to_have_count(2)
    held[0].continue_()
    ask_for(page, lambda: page.get_by_label("Budget, exactly").fill("3000"))

    expect(page.locator("#verdict")).to_contain_text("of 3,000 tokens are sent")


def test_a_format_shows_what_is_sent_in_it(page: Page, api: httpx.Client, key: str, dialogue: str) -> None:
    opened(page, key, dialogue)
    ask_for(page, lambda: page.get_by_label("Budget, exactly").fill("3000"))
    for sent, members in SENT.items():
        ask_for(page, partial(page.get_by_label("Format").select_option, sent))
        told = api.get(f"/v1/conversations/{dialogue}/context", params=wanted(3000, sent)).json()
        shown = page.locator("#request").inner_text()

        assert (shown if sent == "text" else json.loads(shown)) == (
            told["text"] if sent == "text" else {name: told[name] for name in members}
        )


def test_every_format_can_be_chosen(page: Page) -> None:
    page.goto("/dashboard", wait_until="domcontentloaded")
    offered = page.locator("#format option").evaluate_all("all => all.map(one => one.value)")

    assert sorted(offered) == sorted(FORMATS)


def test_a_unit_shows_its_items_and_why_it_is_kept(page: Page, api: httpx.Client, key: str, dialogue: str) -> None:
    opened(page, key, dialogue)
    context = ask_for(page, lambda: page.get_by_label("Budget, exactly").fill("3000"))
    rows = context["explanation"]["units"]
    index = next(at for at, row in enumerate(rows) if len(row["item_ids"]) == 2 and row["state"] == "kept")
    page.locator(f"#unit-{index}").click()

    expect(page.locator("#unit .facts")).to_contain_text(f"{rows[index]['tokens']:,} tokens")
    for item_id in rows[index]["item_ids"]:
        item = api.get(f"/v1/conversations/{dialogue}/items/{item_id}").json()
        expect(page.locator("#unit pre").filter(has_text=item.get("output") or item["arguments"])).to_be_visible()
    # What was chosen stays so under another budget.
    ask_for(page, lambda: page.get_by_label("Budget, exactly").fill("1800"))
    expect(page.locator("#unit .facts")).to_contain_text("Left out")


def test_what_was_appended_meanwhile_is_there_at_the_next_look(
    page: Page, api: httpx.Client, key: str, dialogue: str
) -> None:
    opened(page, key, dialogue)
    before = len(states(page))
    api.post(f"/v1/conversations/{dialogue}/items", json={"items": [{"role": "user", "content": "One more thing."}]})
    ask_for(page, page.get_by_role("button", name="Look again").locator("visible=true").click)

    assert len(states(page)) == before + 1


def test_documents_share_is_what_the_slider_says(
    page: Page, api: httpx.Client, key: str, tenant: str, documents_folder: Path
) -> None:
    (documents_folder / tenant).mkdir()
    (documents_folder / tenant / "rules.md").write_text("Each rule is a line. " * 200)
    content = [{"type": "input_file", "file_url": "document:rules.md"}, {"type": "input_text", "text": "Which apply?"}]
    body = {"items": [{"role": "user", "content": content}]}
    conversation = api.post("/v1/conversations", json=body).json()["id"]
    opened(page, key, conversation)
    ask_for(page, lambda: page.get_by_label("Budget, exactly").fill("1000"))
    shares = []
    for share in (10, 80):
        context = ask_for(page, partial(page.get_by_label("Documents' share").fill, str(share)))
        rows = context["explanation"]["units"]
        shares.append(sum(row["tokens"] for row in rows if row["state"] == "document"))
        expect(page.locator("#legend")).to_contain_text(f"Document {shares[-1]:,} tokens")

    assert 0 < shares[0] <= 100 < shares[1] <= 800


def test_a_budget_that_is_too_small_says_which_would_do(page: Page, key: str, dialogue: str) -> None:
    opened(page, key, dialogue)
    with page.expect_response(lambda response: response.status == 422):
        page.get_by_label("Budget, exactly").fill("20")
    expect(page.get_by_role("alert")).to_contain_text("too small for what is always kept")
    context = ask_for(page, page.get_by_role("button", name=re.compile("^Take .* tokens$")).click)

    assert context["tokens"] <= context["budget"] == int(page.get_by_label("Budget, exactly").input_value())


def test_a_long_log_is_one_row_an_option_and_the_table_says_the_same(page: Page, api: httpx.Client, key: str) -> None:
    conversation = api.post("/v1/conversations", json={}).json()["id"]
    for at in range(6):
        items = [
            {"role": ("user", "assistant")[n % 2], "content": f"{at} {n} " + "word " * (n % 17)} for n in range(100)
        ]
        api.post(f"/v1/conversations/{conversation}/items", json={"items": items})
    opened(page, key, conversation)
    context = ask_for(page, lambda: page.get_by_label("Budget, exactly").fill("2000"))
    rows = context["explanation"]["units"]
    page.get_by_text("The same as a table").click()
    lines = page.locator("#units tr").all_inner_texts()

    assert len(states(page)) == len(lines) == len(rows) == 500
    assert [int(line.split("\t")[3].replace(",", "")) for line in lines] == [row["tokens"] for row in rows]
    assert "Row 2 of 500" in str(page.locator("#unit-1").get_attribute("aria-label"))
    page.locator("#units button").nth(1).click()
    expect(page.locator("#unit .items > li")).to_have_count(11)
    page.get_by_role("button", name="more items").click()
    expect(page.locator("#unit .items > li")).to_have_count(21)


def test_a_tenant_sees_its_own_and_nobody_elses(
    page: Page, api: httpx.Client, other_api: httpx.Client, key: str, dialogue: str
) -> None:
    other = other_api.post(
        "/v1/conversations", json={"items": [{"role": "user", "content": "of another tenant"}]}
    ).json()["id"]
    unlock(page, "", "conversations", key)
    choice = page.get_by_label("Conversation", exact=True)
    expect(choice.locator("option")).to_have_count(2)

    assert choice.locator("option").nth(1).get_attribute("value") == dialogue
    assert "A flight" in choice.locator("option").nth(1).inner_text()
    page.get_by_label("or by its id").fill(other)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing of this name exists under this key")
    expect(page.locator("#result")).to_be_hidden()
    assert "of another tenant" not in page.content()


def test_a_tenant_without_conversations_is_told_so(page: Page, key: str) -> None:
    unlock(page, "", "conversations", key)

    expect(page.locator("#empty")).to_contain_text("no conversation yet")


def test_a_wrong_key_says_so_and_is_not_kept(page: Page) -> None:
    for wrong in ("wt_acme_wrongwrongwrongwrong", "no key at all"):
        unlock(page, "", "conversations", wrong)

        expect(page.get_by_role("alert")).to_contain_text("This key is not valid here")
        expect(page.get_by_label("API key").locator("visible=true")).to_be_focused()
        assert page.evaluate("sessionStorage.length") == 0
        page.goto("about:blank")


def test_the_key_is_in_this_tabs_session_and_nowhere_else(
    page: Page, context: BrowserContext, key: str, dialogue: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, key, dialogue)

    assert page.evaluate("[localStorage.length, {...sessionStorage}]") == [0, {"warmthread.key": key}]
    assert context.cookies() == []
    assert [url for url in [*asked, page.url] if key in url or not url.startswith(str(page.evaluate("origin")))] == []
    page.reload()
    expect(page.locator("#verdict")).to_contain_text("tokens are sent")
    with quiet_page(context) as another:
        another.goto("/dashboard")
        expect(another.get_by_label("API key").locator("visible=true")).to_be_visible()
    page.get_by_role("button", name="Forget them now").click()
    expect(page.get_by_label("API key").locator("visible=true")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_what_an_item_says_is_text_and_scripts_of_others_do_not_run(
    page: Page, browser: Browser, service_url: str, api: httpx.Client, key: str
) -> None:
    attack = "<img src=x onerror='window.attacked = 1'><script>window.attacked = 1</script>"
    body = {"items": [{"role": "user", "content": attack}], "metadata": {"title": attack}}
    conversation = api.post("/v1/conversations", json=body).json()["id"]
    opened(page, key, conversation)
    page.locator("#bar").press("End")
    page.locator("#bar").press("Enter")

    expect(page.locator("#unit pre")).to_have_text(attack)
    assert page.evaluate("window.attacked") is None
    # In a page of its own: the browser complains about it, as it should.
    stranger = browser.new_page(base_url=service_url)
    stranger.goto("/dashboard")
    refused = stranger.evaluate(
        """() => new Promise((told) => {
            document.addEventListener("securitypolicyviolation", (event) => told(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.attacked = 1";
            document.body.append(script);
        })"""
    )
    assert (refused, stranger.evaluate("window.attacked")) == ("script-src-elem", None)
    stranger.close()


def test_all_of_it_goes_by_keyboard(page: Page, key: str, dialogue: str) -> None:
    page.goto("/dashboard")
    press = page.keyboard.press

    def tab_to(selector: str) -> None:
        for _ in range(40):
            press("Tab")
            if page.evaluate("one => document.activeElement.matches(one)", selector):
                return
        pytest.fail(f"Tab does not come to {selector}")

    tab_to("#view-conversations input[type=password]")
    page.keyboard.type(key)
    press("Enter")
    expect(page.locator("#recent option")).to_have_count(2)
    tab_to("#recent")
    press("ArrowDown")
    expect(page.locator("#verdict")).to_contain_text("tokens are sent")
    tab_to("#budget-slider")
    for _ in range(3):
        press("PageDown")
    expect(page.locator("#legend")).to_contain_text("Left out")
    tab_to("#bar")
    press("End")
    press("ArrowLeft")
    expect(page.locator("#bar .current[role=option]")).to_have_attribute("aria-selected", "true")
    pointed = page.locator("#bar").get_attribute("aria-activedescendant")
    assert pointed == f"unit-{len(states(page)) - 2}"
    press("Enter")
    expect(page.locator("#unit .items > li").first).not_to_have_attribute("aria-busy", "true")
    tab_to("#as-table summary")
    press("Enter")
    tab_to("#units button")
    press("Enter")
    expect(page.locator("#unit-title")).to_be_focused()
    expect(page.locator("#unit-title")).to_have_text("Unit 1: prompt")
    tab_to("#copy")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press("Enter")
    expect(page.locator("#copied")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#request").inner_text()


def test_a_store_that_is_away_is_told_in_plain_words(
    browser: Browser, behind: Callable[..., httpx.Client], server: Any, key: str, dialogue: str
) -> None:
    context = browser.new_context(base_url=str(behind().base_url))
    with quiet_page(context) as page:
        opened(page, key, dialogue)
        server.leave()
        page.get_by_label("Budget, exactly").fill("3000")
        expect(page.get_by_role("alert")).to_contain_text("The store is away")
        server.come_back()
    context.close()
