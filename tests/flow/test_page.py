# SPDX-License-Identifier: BSD-2-Clause
"""The page at /: what is served, and what a browser makes of it."""

import os
import signal

from api import Api
from browser import TAB, Browser
from daemon import config_text
from fake_api import PAGE
from harness import ONCE, check, check_equal, test, wait_for
from pairs import Upstream, open_pair

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
          "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class Watched:
    """A daemon whose page is reached through one of its own rules."""

    def __init__(self, t):
        self.t, self.up, self.port, self.door = t, Upstream(t), t.port(), t.port()
        self.http = "127.0.0.1:%d" % t.port()
        self.control = t.path("control.sock")
        self.api = Api(self.control)
        self.groups = {"daemon": {"engine": t.engine, "control": self.control, "http": self.http,
                                  "drain_timeout": "100ms"},
                       "rules": self.rules()}
        self.d = t.prepare(self.groups)
        self.d.start()
        self.url = "http://127.0.0.1:%d/" % self.door

    def rules(self):
        return {"web": {"listen": "127.0.0.1:%d" % self.port, "upstream": self.up.address,
                        "max_connections": 2},
                "dead": {"listen": "127.0.0.1:%d" % self.t.port(),
                         "upstream": "127.0.0.1:%d" % self.t.port()},
                "sockets": {"listen": "unix:" + self.t.path("<img src=x onerror=hurt()>"),
                            "upstream": "unix:" + self.t.path("<b>&amp;\"'")},
                "page": {"listen": "127.0.0.1:%d" % self.door, "upstream": self.http}}

    def pair(self):
        return open_pair(self.t, self.port, self.up)


def files():
    return sorted(f for f in os.listdir(PAGE) if os.path.splitext(f)[1] in KINDS)


def check_served(answer, name):
    with open(os.path.join(PAGE, name), "rb") as f:
        check(answer.body == f.read(), "%s is served as it is" % name)
    for header, value in (("Content-Type", KINDS[os.path.splitext(name)[1]]),
                          ("Content-Security-Policy", POLICY), ("Cache-Control", "no-store"),
                          ("X-Content-Type-Options", "nosniff"),
                          ("Referrer-Policy", "no-referrer")):
        check_equal(answer.headers[header], value, "%s of %s" % (header, name))


@test("page: its files are served on both sockets, and through a forward", ONCE, ("control",))
def served(t):
    w = Watched(t)
    for where in (w.control, ("127.0.0.1", int(w.http.split(":")[1])), ("127.0.0.1", w.door)):
        api = Api(where)
        check_served(api.ask("GET", "/", Connection="close"), "index.html")
        for name in files():
            check_served(api.ask("GET", "/page/" + name, Connection="close"), name)
        head = api.ask("HEAD", "/", Connection="close")
        check_equal((head.status, head.body, head.headers["Content-Security-Policy"]),
                    (200, b"", POLICY), "HEAD")
        for target in ("/", "/page/page.js"):
            refused = api.refused(405, "method-not-allowed", "POST", target, Connection="close")
            check_equal(refused.headers["Allow"], "GET, HEAD", "what is allowed")
        api.refused(404, "not-found", "GET", "/page/embed.sh", "embed.sh", Connection="close")
        api.refused(404, "not-found", "GET", "/page/..%2f..%2fetc%2fpasswd", Connection="close")


# --- in a browser ----------------------------------------------------------------------------

def row(name):
    """The expression for the row of a rule."""
    return "[...document.querySelectorAll('tbody.rule')].find((r) => " \
           "r.querySelector('.name').textContent === '%s')" % name


def cell(name, selector):
    return "%s.querySelector('%s').innerText.trim()" % (row(name), selector)


def words(name, selector):
    """Of several elements."""
    return cell(name, selector) + ".replace(/\\s+/g, ' ')"


def rules_are_shown(w, b):
    b.wait("[...document.querySelectorAll('tbody.rule .name')].map((n) => n.textContent).join()",
           "web,dead,sockets,page")
    b.wait("document.getElementById('live').dataset.is", "updating")
    b.wait("document.querySelector('#events-list .word')?.textContent", "hello")
    check_equal(b.text("#rules-count"), "4 rules", "how many rules")
    b.wait(cell("web", ".state"), "running")
    b.wait(cell("web", ".load p"), "0 of 2")
    b.wait(cell("web", ".upstream"), w.up.address)
    b.wait(cell("sockets", ".upstream"), "unix:" + w.t.path("<b>&amp;\"'"))
    b.wait(cell("sockets", ".address"), "unix:" + w.t.path("<img src=x onerror=hurt()>"))
    check_equal(b.run("return document.querySelectorAll('table b:not(.live-now), img').length"), 0,
                "elements that an address has made")
    check_equal(b.text("#engine"), w.t.first_engine, "the engine")
    check(b.text("#version").startswith("penstockd "), "the version: %r" % b.text("#version"))


def rules_live(w, b):
    """Sessions come, move bytes and go; the rows stay what they are."""
    b.run("window.theRow = %s; document.querySelector('#sessions-client').focus(); "
          "theRow.querySelector('.fold').click()" % row("web"))
    first, second = w.pair(), w.pair()
    b.wait(cell("web", ".load p"), "2 of 2")
    b.wait(cell("web", ".trouble"), "full")
    b.wait(row("web") + ".querySelector('.load .bar > div').style.width", "100%")
    b.wait(cell("web", ".opened"), "2")
    with w.t.connect(("127.0.0.1", w.port)) as refused:
        check_equal(refused.recv(1), b"", "who comes when it is full")
    b.wait(cell("web", ".num.refused"), "1")
    b.wait(words("web", ".refusals"), "limit 1")
    rates = "%s && %s" % tuple("parseFloat(%s) > 0" % cell("web", s)
                               for s in (".rate-in", ".rate-out"))
    wait_for(lambda: (first.talk(), b.run("return " + rates))[1], "rates to move")
    check("in the last 90 seconds" in b.run("return %s.querySelector('.spark')"
                                            ".getAttribute('aria-label')" % row("web")),
          "the picture in words")
    check(len(b.run("return %s.querySelector('.spark .in').getAttribute('d')" % row("web"))) > 10,
          "something is drawn")
    second.end()
    b.wait(cell("web", ".load p"), "1 of 2")
    b.wait(words("web", ".ended"), "done 1")
    check(b.run("return theRow === %s && document.activeElement.id === 'sessions-client'"
                % row("web")), "the row and the focus stayed")
    return first


def sessions_are_found(w, b, pair):
    rows = "[...document.querySelectorAll('#sessions-rows tr')]"
    client = "127.0.0.1:%d" % pair.port
    rule_of = ".map((r) => r.querySelector('.rule').textContent)"
    wanted = rows + rule_of + ".filter((name) => name !== 'web').length > 0"
    b.wait(wanted, True, "sessions of the page too")
    b.type("web", "#sessions-rule")
    b.wait(rows + ".map((r) => r.querySelector('.client').textContent).join()", client)
    b.wait(rows + "[0].querySelector('.word').textContent", "open")
    b.type("127.0.0.1/33", "#sessions-client")
    b.wait("document.getElementById('sessions-error').textContent.includes('127.0.0.1/33')")
    b.run("document.getElementById('sessions-client').value = ''")
    b.wait(rows + ".length", 0)
    b.type("soon", "#sessions-older")
    b.wait("document.getElementById('sessions-error').textContent.includes('soon')")
    b.run("document.getElementById('sessions-older').value = ''")
    b.type("1h", "#sessions-older")
    b.wait("document.getElementById('sessions-error').textContent", "")
    b.wait("document.getElementById('sessions-empty').hidden", False)
    b.run("document.getElementById('sessions-older').value = ''")
    b.type("1ms", "#sessions-older")
    b.wait(rows + ".length", 1)
    b.type("10.0.0.0/8", "#sessions-client")
    b.wait("document.getElementById('sessions-error').textContent", "")
    b.wait(rows + ".length", 0)
    b.wait("document.getElementById('sessions-empty').hidden", False)
    b.run("document.querySelector('#sessions-filter').reset(); "
          "document.querySelector('#sessions-state').dispatchEvent(new Event('change'))")
    b.wait(wanted, True, "all of them again")


def events_appear(w, b, pair):
    events = "[...document.querySelectorAll('#events-list li')].map((e) => e.textContent)"

    def told(*words):
        b.wait("%s.some((e) => %r.every((word) => e.includes(word)))" % (events, list(words)))

    w.api.delete("/v1/sessions?rule=web")
    told("ended killed", "web", "127.0.0.1:%d" % pair.port)
    told("refused limit", "web")
    w.api.post("/v1/rules/web/pause")
    b.wait(cell("web", ".state"), "paused")
    told("paused", "web")
    w.api.post("/v1/rules/web/resume")
    b.wait(cell("web", ".state"), "running")


def reloads_are_told(w, b):
    check_equal(b.text("#reload-outcome"), "not reloaded yet", "before a reload")
    more = dict(w.groups["rules"], new={"listen": "127.0.0.1:%d" % w.t.port(),
                                        "upstream": w.up.address})
    w.d.rewrite(config_text(dict(w.groups, rules=more)))
    w.api.post("/v1/reload")
    b.wait("document.getElementById('reload-outcome').textContent", "last reload ok")
    b.wait("document.getElementById('generation').textContent", "2")
    b.wait(cell("new", ".state"), "running")
    w.d.rewrite("rules = { web = { listen = 5; }; };\n")
    w.api.refused(422, "conflict", "POST", "/v1/reload")
    b.wait("document.getElementById('reload-outcome').textContent", "last reload failed")
    b.wait("document.getElementById('reload-error').textContent.includes('listen')")
    w.d.rewrite(config_text(w.groups))
    w.api.post("/v1/reload")
    b.wait("!" + row("new"), True, "the rule to be gone")


def luminance(text):
    """How bright a computed colour is, from 0 to 1 (WCAG 2.1)."""
    parts = [int(p) / 255 for p in text[text.index("(") + 1:-1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


COLOURS = """
let ground = document.querySelector(arguments[0]);
const text = getComputedStyle(ground).color;

while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)")
    ground = ground.parentElement;
return [text, getComputedStyle(ground).backgroundColor];
"""


def themes(b):
    for theme, is_dark in (("light", False), ("dark", True)):
        b.theme(theme)
        b.wait("matchMedia('(prefers-color-scheme: dark)').matches", is_dark)
        ground = luminance(b.run(COLOURS, "body")[1])
        check((ground < 0.1) == is_dark, "the ground in a %s theme: %f" % (theme, ground))
        for selector in (".about", "thead th", "[data-is=running]", "#live",
                         "#events-list [data-is=bad] .word", "#events-list [data-is=warn] .word",
                         ".in dt", ".out dt", ".fold", ".way .to", "#events-list .text"):
            low, high = sorted(luminance(c) for c in b.run(COLOURS, selector))
            contrast = (high + 0.05) / (low + 0.05)
            check(contrast >= 4.5, "contrast of %s, %s: %.1f" % (selector, theme, contrast))


def keyboard(b):
    """From the page's top, what the tabulator reaches."""
    b.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    b.click("h1")
    reached = []
    for _ in range(20):
        b.type(TAB)
        reached.append(b.run("const e = document.activeElement; return e.id || e.className"))
    for wanted in ("skip", "rules-find", "rules-sort", "fold", "sessions-rule", "sessions-client",
                   "sessions-older", "sessions-state", "sessions-sort", "events-hold", "scroll"):
        check(wanted in reached, "the tabulator does not reach %s: %r" % (wanted, reached))
    check(b.run("document.querySelector('#rules-find').focus(); return "
                "getComputedStyle(document.querySelector('#rules-find')).outlineStyle") != "none",
          "the focus is seen")


def phone(b):
    b.screen(360, 740, mobile=True)
    b.wait("innerWidth", 360)
    check_equal(b.run("return document.documentElement.scrollWidth"), 360, "width of the page")
    b.screen(1280, 900)


FIGURES = "getComputedStyle(document.querySelector('main')).filter"


def comes_back(w, b):
    """The daemon goes away, and another comes."""
    w.d.signal(signal.SIGTERM)
    w.d.wait_exit()
    b.wait("document.getElementById('live-text').textContent", "lost connection, trying again")
    b.wait(FIGURES, "grayscale(1)")
    b.console()  # what a browser says of an address where nobody answers
    w.d = w.t.prepare(w.groups)
    w.d.start()
    b.wait("document.getElementById('live').dataset.is", "updating")
    b.wait(FIGURES, "none")
    w.pair()
    b.wait(cell("web", ".load p"), "1 of 2")
    b.wait("document.getElementById('pid').textContent", "pid %d" % w.d.process.pid)


@test("page: in a browser, live", ONCE, ("control",))
def live(t):
    browser = Browser(t.spawn)
    try:
        w = Watched(t)
        browser.go(w.url)
        rules_are_shown(w, browser)
        pair = rules_live(w, browser)
        sessions_are_found(w, browser, pair)
        events_appear(w, browser, pair)
        reloads_are_told(w, browser)
        themes(browser)
        keyboard(browser)
        phone(browser)
        # A refused filter is an answer that a browser calls an error.
        said = [line for line in browser.console() if "/v1/sessions?" not in line]
        check_equal(said, [], "what the console says")
        comes_back(w, browser)
        check_equal(browser.hosts(), {w.url.split("/")[2]}, "hosts that were asked")
    finally:
        browser.close()
