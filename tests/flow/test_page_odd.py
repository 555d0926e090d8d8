# SPDX-License-Identifier: BSD-2-Clause
"""The page at / with answers that a daemon would hardly give: markup for names, very many rules and
sessions, a flood of events."""

from browser import Browser
from fake_api import FakeApi, rule, session, status
from harness import ONCE, check, check_equal, test, wait_for

HOSTILE = ["<img src=x onerror=\"window.hurt=1\">", "<script>window.hurt=1</script>",
           "\"><svg onload=window.hurt=1>", "__proto__", "a'b&amp;<b>c</b>", "javascript:hurt=1"]
ROWS = "[...document.querySelectorAll('#sessions-rows tr')]"


def hostile_world(fake):
    fake.rules = [rule(text, upstream=text, state="paused", ended={text: 3, "done": 1},
                       refused={text: 2}, sessions=1,
                       listeners=[{"address": text, "state": text, "sessions": 0, "limit": 5}])
                  for text in HOSTILE]
    fake.sessions = [session(i + 1, rule=text, client=text, upstream=text, state=text,
                             protocol=text) for i, text in enumerate(HOSTILE)]
    fake.status = status(version=HOSTILE[0], engine=HOSTILE[1])
    fake.status["config"]["path"] = HOSTILE[2]
    fake.status["config"]["reload"] = {"outcome": "failed", "at_ms": 1700000001000,
                                       "error": HOSTILE[0]}


def markup_is_text(b, fake):
    hostile_world(fake)
    b.run("window.before = document.querySelectorAll('img, script, svg, b').length")
    b.go(fake.url)
    b.wait("document.querySelectorAll('tbody.rule').length", len(HOSTILE))
    b.run("document.querySelectorAll('.fold').forEach((fold) => fold.click())")
    for selector in (".name", ".way .upstream", ".address", ".refusals .what",
                     "#sessions-rows .rule", "#sessions-rows .client", "#sessions-rows .upstream",
                     "#sessions-rows .word"):
        b.wait("JSON.stringify([...document.querySelectorAll(%r)].map((e) => e.textContent))"
               ".length > 40" % selector)
        check_equal(b.run("return [...document.querySelectorAll(arguments[0])]"
                          ".map((e) => e.textContent)", selector), HOSTILE, "text of " + selector)
    check_equal(b.text("#reload-error"), HOSTILE[0], "the error of the reload")
    check_equal(b.text("#engine"), HOSTILE[1], "the engine")
    wait_for(lambda: fake.streams == 1, "the page to read events")
    fake.tell(*[dict(session(9, rule=text, client=text), event=kind, end=text, error=text,
                     at_ms=1700000000000, outcome=text, generation=text)
                for text in HOSTILE for kind in ("ended", "refused", "reloaded", text)])
    b.wait("document.querySelectorAll('#events-list li').length", 1 + 4 * len(HOSTILE))
    check_equal(b.run("return [document.querySelectorAll('img, b:not(.live-now), svg[onload], "
                      "body script').length, typeof window.hurt]"), [0, "undefined"],
                "what markup has made")


def very_many_rules(b, fake):
    fake.status = status(rules=3000)
    fake.rules = [rule("r%04d" % i) for i in range(3000)]
    fake.sessions = [session(i) for i in range(1, 10001)]
    b.go(fake.url)
    b.wait("document.querySelectorAll('tbody.rule').length", 100)
    check("2,900" in b.text("#rules-more"), "what is left: %r" % b.text("#rules-more"))
    b.type("r1234", "#rules-find")
    b.wait("[...document.querySelectorAll('tbody.rule .name')].map((n) => n.textContent).join()",
           "r1234")
    b.run("const find = document.getElementById('rules-find'); find.value = ''; "
          "find.dispatchEvent(new Event('input')); "
          "document.getElementById('rules-more').focus()")
    b.click("#rules-more")
    b.wait("document.querySelectorAll('tbody.rule').length", 200)
    # All of those that are like that: where the button was is the first new one.
    found = [r["name"] for r in fake.rules if r["name"].startswith("r0") and "9" in r["name"]]
    b.type("r0 9", "#rules-find")
    b.wait("document.getElementById('rules-more').textContent.includes('(%d are')"
           % (len(found) - 200))
    b.click("#rules-more")
    b.wait("document.querySelectorAll('tbody.rule').length", len(found))
    b.wait("document.activeElement.textContent", found[200], "what has the focus")


def pages_of_sessions(b, fake):
    """Of 10,000, a page at a time; what is shown stays right."""
    ids = ROWS + ".map((r) => Number(r.querySelector('.id').textContent))"
    b.wait(ROWS + ".length", 25)
    b.click("#sessions-more")
    b.wait(ROWS + ".length", 50)
    check_equal(b.run("return " + ids), list(range(1, 51)), "ids")
    fake.sessions = [s for s in fake.sessions if s["id"] % 2 == 0]
    b.wait(ids + ".every((id) => id % 2 === 0) && " + ROWS + ".length", 50)
    check_equal(b.run("return " + ids), list(range(2, 101, 2)), "ids after some have gone")
    fake.sessions = fake.sessions[:30]
    b.wait(ROWS + ".length", 30)
    b.wait("document.getElementById('sessions-more').hidden")
    b.wait("document.activeElement.id", "sessions", "what has the focus")
    fake.sessions = [session(i) for i in range(1, 61)]
    b.wait("document.getElementById('sessions-more').hidden", False)
    b.click("#sessions-more")
    b.wait(ROWS + ".length", 60)
    b.wait("document.getElementById('sessions-more').hidden")
    b.wait("document.activeElement.querySelector('.id')?.textContent", "51", "what has the focus")
    check_equal({q["limit"] for q in fake.asked}, {"25"}, "how many are asked for at a time")


def order_follows(b, fake):
    """Also behind a click on a row, which selects nothing."""
    ids = ROWS + ".map((r) => Number(r.querySelector('.id').textContent)).join()"
    fake.sessions = [session(i) for i in range(1, 11)]
    b.wait(ids, "1,2,3,4,5,6,7,8,9,10")
    b.click("#sessions-rows tr:nth-child(4) .id")
    fake.sessions.reverse()
    b.wait(ids, "10,9,8,7,6,5,4,3,2,1")


def failures_are_counted(b, fake):
    """However often one looks."""
    again = "document.getElementById('sessions-sort').dispatchEvent(new Event('change'))"
    name = "[...document.querySelectorAll('tbody.rule .name')].map((n) => n.textContent).join()"
    b.run("const find = document.getElementById('rules-find'); find.value = ''; "
          "find.dispatchEvent(new Event('input'))")
    fake.rules = [rule("counted")]
    b.wait(name, "counted")
    looks = len(fake.asked)
    fake.rules = [rule("counted", ended={"connect-refused": 3})]
    while len(fake.asked) < looks + 8:
        asked = len(fake.asked)
        b.run(again)
        wait_for(lambda: len(fake.asked) > asked, "another look")
    b.wait("document.querySelector('.trouble').title",
           "3 could not be connected in the last 90 seconds")


def held_and_flooded(b, fake):
    count = "document.querySelectorAll('#events-list li').length"
    opened = dict(session(5), event="opened", at_ms=1700000000000)
    wait_for(lambda: fake.streams == 1, "the page to read events")
    b.wait(count, 1)
    b.click("#events-hold")
    fake.tell(opened)
    fake.tell(dict(opened, rule="last"))
    b.wait("document.getElementById('events-hold').getAttribute('aria-pressed')", "true")
    check_equal(b.run("return " + count), 1, "events while they are held")
    b.click("#events-hold")
    b.wait(count, 3)
    b.console()
    fake.tell({"event": "future"}, {"event": "later", "at_ms": 1e300}, dict(opened, rule="after"))
    b.wait("[...document.querySelectorAll('#events-list .word')].map((e) => e.textContent)"
           ".slice(0, 3).join()", "opened,future,opened")
    check_equal(b.run("return " + count), 5, "events, without the one that can't be shown")
    check("RangeError" in "".join(b.console()), "it is told on the console")
    fake.tell(*[opened] * 1000)
    b.wait("document.getElementById('events-note').textContent.includes('too many')")
    wait_for(lambda: fake.streams == 0, "the page to read no more")
    b.wait(count, 100)


def show(b, hidden):
    b.run("Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true}); "
          "document.dispatchEvent(new Event('visibilitychange'))", hidden)


def rests_while_hidden(b, fake):
    fake.rules = [rule("web")]
    b.go(fake.url)
    wait_for(lambda: fake.streams == 1, "the page to read events")
    show(b, True)
    b.wait("document.getElementById('live').dataset.is", "resting")
    wait_for(lambda: fake.streams == 0, "the page to read no more")
    show(b, False)
    b.wait("document.getElementById('live').dataset.is", "updating")
    wait_for(lambda: fake.streams == 1, "the page to read again")


def is_hidden_during_a_look(b, fake):
    fake.gate.clear()
    wait_for(lambda: fake.held > 0, "a look to be under way")
    show(b, True)
    wait_for(lambda: fake.streams == 0, "the page to read no more")
    fake.rules, fake.sessions = [rule("late")], [session(7, rule="late")]
    fake.gate.set()
    for selector in ("tbody.rule .name", "#sessions-rows .rule"):  # the look's end
        b.wait("[...document.querySelectorAll('%s')].map((e) => e.textContent).join()" % selector,
               "late")
    check_equal(b.text("#live-text"), "resting while hidden", "what it does after the look")
    show(b, False)
    b.wait("document.getElementById('live').dataset.is", "updating")
    wait_for(lambda: fake.streams == 1, "the page to read again")


def cannot_read(b, fake):
    """A daemon of another version, which says nothing of what the page shows."""
    b.console()
    del fake.rules[0]["refused"]
    b.wait("document.getElementById('live-text').textContent",
           "can't read the answers: reload the page")
    check("TypeError" in "".join(b.console()), "the reason is told on the console")
    fake.rules = [rule("web")]
    b.wait("document.getElementById('live').dataset.is", "updating")
    b.console()


@test("page: in a browser, hostile names, very many of all, and unseen", ONCE, ("control",))
def odd(t):
    fake, browser = FakeApi(), Browser(t.spawn)
    try:
        markup_is_text(browser, fake)
        very_many_rules(browser, fake)
        pages_of_sessions(browser, fake)
        order_follows(browser, fake)
        failures_are_counted(browser, fake)
        held_and_flooded(browser, fake)
        rests_while_hidden(browser, fake)
        is_hidden_during_a_look(browser, fake)
        cannot_read(browser, fake)
        check_equal(browser.hosts(), {fake.url.split("/")[2]}, "hosts that were asked")
        check_equal(browser.console(), [], "what the console says")
    finally:
        browser.close()
        fake.close()
