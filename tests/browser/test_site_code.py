"""The site's own code: what `window.Porchlight` tells, does and ends, from the page of a customer."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import httpx
import jwt
import pytest
from cast import Owner
from harness import Server
from pages import HostPages, Inbox, Noise, Shop
from playwright.sync_api import Page, expect
from test_quiet import STORED

pytestmark = pytest.mark.xdist_group("site-code")


@pytest.fixture(scope="module")
def secret(server: Server) -> str:
    """What the shop's server signs with."""
    owner = Owner(server.url).arrive()
    path = "/inbox/sites/main/identity"
    csrf = owner.page(path).first("input", name="csrf").attrs["value"]
    assert owner.http.post(path, data={"csrf": csrf}, headers=owner.auth()).status_code == 303
    return owner.page(path).first("pre", id="secret").text.strip()


def signed(secret: str, sub: str, name: str) -> str:
    return jwt.encode({"sub": sub, "name": name, "exp": int(time.time()) + 600}, secret, "HS256")


def visit(server: Server, host_pages: HostPages, page: Page, *calls: list[Any]) -> Shop:
    """A customer's page that queues these calls before the loader is there."""
    queue = f"<script>window.Porchlight = {json.dumps(list(calls))}</script>"
    tag = f'<script async src="http://localhost:{server.port}/w/main.js"></script>'
    host_pages.put("/", f"<h1>Shop</h1>{queue}{tag}")
    return Shop(page, host_pages.url).visit("/")


def test_what_is_told_before_the_visitor_acts_goes_nowhere_and_then_to_the_agents(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    page = contexts().new_page()
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    calls = [
        ["setUser", 17, {"name": "Told Vera"}],
        ["setAttributes", {"plan": "gold"}],
        ["track", "looked", {"at": "lamps"}],
    ]
    vera = visit(server, host_pages, page, *calls).open()
    vera.page.wait_for_timeout(1000)
    assert not [url for url in posted if "facts" in url] and page.evaluate("localStorage.length") == 0
    vera.say("With facts")
    ann.open("With facts")
    known = ann.page.get_by_role("region", name="What the site knows")
    ann.page.reload()
    for words in ("Told Vera", "not proven", "gold", "looked"):
        expect(known).to_contain_text(words)
    page.evaluate("Porchlight.setAttributes({ plan: 'silver' })")
    page.wait_for_timeout(500)
    ann.page.reload()
    expect(known).to_contain_text("silver")
    assert not noise.heard


def test_who_is_proven_goes_on_with_the_talk_on_another_device(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, secret: str, noise: Noise
) -> None:
    user = ["setUser", "v-1", {"token": signed(secret, "v-1", "Proven Vera")}]
    phone = visit(server, host_pages, contexts().new_page(), user).open()
    phone.say("Begun on the phone")
    ann.open("Begun on the phone")
    ann.reply("Answered to the phone")
    expect(phone.message("Answered to the phone")).to_be_visible()
    desk = visit(server, host_pages, contexts().new_page(), user).open()
    expect(desk.message("Answered to the phone")).to_be_visible()
    desk.say("Going on at the desk")
    expect(phone.message("Going on at the desk")).to_be_visible()
    expect(ann.message("Going on at the desk")).to_be_visible()
    expect(ann.line("Proven Vera")).to_be_visible()
    assert not noise.heard


def test_shutdown_leaves_nothing_behind_in_any_tab(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    context = contexts()
    first = visit(server, host_pages, context.new_page()).open()
    first.say("Private words")
    second = Shop(context.new_page(), host_pages.url).visit("/")
    expect(second.message("Private words")).to_be_visible()
    first.page.evaluate("Porchlight.shutdown()")
    for shop in (first, second):
        expect(shop.frame).to_have_count(0)
        expect(shop.launcher).to_be_visible()
    assert first.page.evaluate(STORED)[:3] == [0, 0, ""] and second.page.evaluate("localStorage.length") == 0
    first.open()
    expect(first.log.locator(".body")).to_have_count(0)
    first.say("Somebody else")
    assert first.texts() == ["Somebody else"] and not noise.heard


def test_the_page_opens_prefills_sends_and_hides(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    shop = visit(server, host_pages, contexts().new_page())
    page = shop.page
    page.evaluate(
        "window.told = []; for (const name of ['ready', 'open', 'close']) Porchlight.on(name, () => told.push(name)); 0"
    )
    page.evaluate("Porchlight.open({ text: 'About the brass lamp' })")
    expect(shop.box).to_have_value("About the brass lamp")
    page.evaluate("Porchlight.say('Welcome to the lamp sale')")
    expect(page.frame_locator("iframe").get_by_text("Welcome to the lamp sale")).to_be_visible()
    page.evaluate("Porchlight.send('Sent by the page')")
    expect(shop.message("Sent by the page")).to_be_visible()
    expect(shop.box).to_have_value("About the brass lamp")
    expect(ann.line("Sent by the page")).to_be_visible()
    page.evaluate("Porchlight.close(); Porchlight.hide()")
    expect(shop.launcher).to_be_hidden()
    page.evaluate("Porchlight.show()")
    expect(shop.launcher).to_be_visible()
    assert page.evaluate("told") == ["open", "ready", "close"] and not noise.heard


SHIMS = {
    "chatwoot": """<script>(function (d, t) {
      var BASE_URL = "{url}", g = d.createElement(t), s = d.getElementsByTagName(t)[0];
      g.src = BASE_URL + "/shim/chatwoot.js"; g.defer = true; g.async = true;
      s.parentNode.insertBefore(g, s);
      g.onload = function () { window.chatwootSDK.run({ websiteToken: "main", baseUrl: BASE_URL }); };
    })(document, "script");
    window.addEventListener("chatwoot:ready", function () {
      window.$chatwoot.setUser("u-7", { name: "Shim Vera", email: "vera@shop.example", identifier_hash: "" });
      window.$chatwoot.setCustomAttributes({ plan: "gold" });
      window.$chatwoot.setLabel("vip");
      window.openChat = function () { window.$chatwoot.toggle("open"); };
      window.leave = function () { window.$chatwoot.reset(); };
    });</script>""",
    "intercom": """<script>window.intercomSettings = { app_id: "main", user_id: "u-7", name: "Shim Vera",
      email: "vera@shop.example", plan: "gold" };
    (function () { var w = window; var ic = w.Intercom; if (typeof ic === "function") { ic("reattach_activator");
      ic("update", w.intercomSettings); } else { var d = document; var i = function () { i.c(arguments); }; i.q = [];
      i.c = function (args) { i.q.push(args); }; w.Intercom = i; var l = function () {
      var s = d.createElement("script");
      s.type = "text/javascript"; s.async = true; s.src = "{url}/shim/intercom.js";
      var x = d.getElementsByTagName("script")[0];
      x.parentNode.insertBefore(s, x); }; if (document.readyState === "complete") { l(); }
      else { w.addEventListener("load", l, false); } } })();
    Intercom("trackEvent", "vip");
    window.openChat = function () { Intercom("show"); };
    window.leave = function () { Intercom("shutdown"); };</script>""",
    "crisp": """<script>window.$crisp = []; window.CRISP_WEBSITE_ID = "main"; (function () { var d = document;
      var s = d.createElement("script"); s.src = "{url}/shim/crisp.js"; s.async = 1;
      d.getElementsByTagName("head")[0].appendChild(s); })();
    $crisp.push(["set", "user:nickname", ["Shim Vera"]]); $crisp.push(["set", "user:email", ["vera@shop.example"]]);
    $crisp.push(["set", "session:data", [[["plan", "gold"]]]]); $crisp.push(["set", "session:segments", [["vip"]]]);
    window.openChat = function () { $crisp.push(["do", "chat:open"]); };
    window.leave = function () { $crisp.push(["do", "session:reset"]); };</script>""",
    "tawk": """<script>var Tawk_API = Tawk_API || {}, Tawk_LoadStart = new Date();
    Tawk_API.visitor = { name: "Shim Vera", email: "vera@shop.example" };
    Tawk_API.onLoad = function () { Tawk_API.setAttributes({ plan: "gold" }, function (error) {});
      Tawk_API.addTags(["vip"], function (error) {}); };
    (function () { var s1 = document.createElement("script"), s0 = document.getElementsByTagName("script")[0];
      s1.async = true; s1.src = "{url}/shim/tawk.js"; s1.charset = "UTF-8"; s1.setAttribute("crossorigin", "*");
      s0.parentNode.insertBefore(s1, s0); })();
    window.openChat = function () { Tawk_API.maximize(); };
    window.leave = function () { Tawk_API.shutdown(); };</script>""",
}
"""Pages as each product's documentation has them, with the address of the script changed."""


@pytest.mark.parametrize("product", SHIMS)
def test_a_page_made_for_another_product_works_with_one_address_changed(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise, product: str
) -> None:
    page = contexts().new_page()
    host_pages.put("/", "<h1>Shop</h1>" + SHIMS[product].replace("{url}", f"http://localhost:{server.port}"))
    shop = Shop(page, host_pages.url).visit("/")
    page.wait_for_function("typeof openChat === 'function'")
    page.evaluate("openChat()")
    shop.say(f"Hello by {product}")
    ann.open(f"Hello by {product}")
    page.wait_for_timeout(500)
    ann.page.reload()
    known = ann.page.get_by_role("region", name="What the site knows")
    for words in ("Shim Vera", "vera@shop.example", "gold", "vip"):
        expect(known).to_contain_text(words)
    page.evaluate("leave()")
    expect(shop.frame).to_have_count(0)
    assert page.evaluate("localStorage.length") == 0 and not noise.heard


def test_every_shim_is_a_script_that_any_site_may_load(server: Server) -> None:
    for product in SHIMS:
        answer = httpx.get(f"{server.url}/shim/{product}.js")
        assert answer.status_code == 200 and re.match("text/javascript", answer.headers["Content-Type"])
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert httpx.get(f"{server.url}/shim/other.js").status_code == 404


def test_the_page_sets_the_light_in_which_the_chat_is_drawn(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    shop = visit(server, host_pages, contexts(color_scheme="light").new_page(), ["setTheme", "dark"])
    shop.open()
    scheme = shop.place.locator("meta[name=color-scheme]")
    expect(scheme).to_have_attribute("content", "dark")
    dark = shop.place.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
    shop.page.evaluate("Porchlight.setTheme('auto')")
    expect(scheme).to_have_attribute("content", "light dark")
    assert shop.place.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor") != dark
    assert not noise.heard


def test_the_page_hears_whether_somebody_is_there(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    shop = visit(server, host_pages, contexts().new_page())
    shop.page.evaluate("() => { window.heard = []; Porchlight.on('status', (now) => heard.push(now)); }")
    shop.open().say("Is somebody there?")
    shop.page.wait_for_function("heard.length")
    before = shop.page.evaluate("heard.at(-1)")
    ann = Inbox(contexts().new_page(), f"http://localhost:{server.port}").sign_in()
    shop.page.wait_for_function("heard.at(-1) === 'online'")
    ann.page.close()
    if before == "away":
        shop.page.wait_for_function("heard.at(-1) === 'away'", timeout=60_000)
    assert shop.page.evaluate("heard.every((now, at) => now !== heard[at - 1])"), "only changes are told"
    assert not noise.heard


def test_the_page_hears_that_the_chat_cannot_be_reached(server: Server, contexts: Any, host_pages: HostPages) -> None:
    context = contexts()
    context.route("**/w/main*", lambda route: route.continue_() if ".js" in route.request.url else route.abort())
    shop = visit(server, host_pages, context.new_page())
    shop.page.evaluate("() => { window.heard = []; Porchlight.on('error', (why) => heard.push('heard')); }")
    shop.launcher.click()
    shop.page.wait_for_function("heard.length", timeout=30_000)
    assert shop.page.evaluate("heard[0]") == "heard"
