// SPDX-License-Identifier: BSD-2-Clause
// One rule: what is known of its last minute, its row, and what unfolds below it.

import {Rows, fromTemplate, setAttribute, setBar, setHidden, setText} from "./dom.js";
import {Growth, drawSpark} from "./rate.js";
import {count, rate, size} from "./text.js";

const FAILURES = ["connect-refused", "connect-timeout", "connect-failed", "resolve-failed",
                  "upstream-refused"];
const HEAR_NOBODY = ["closed", "resting", "no-interface"];
const LISTENERS_SHOWN = 2;

function total(counts) {
    return Object.values(counts).reduce((all, n) => all + n, 0);
}

// What a rule's counters did; kept for all of them, also while they aren't shown.
export class Known {
    constructor() {
        this.into = new Growth();
        this.out = new Growth();
        this.refused = new Growth();
        this.failed = new Growth();
    }

    add(rule, at) {
        this.rule = rule;
        this.into.add(rule.bytes_in, at);
        this.out.add(rule.bytes_out, at);
        this.refusals = total(rule.refused);
        this.refused.add(this.refusals, at);
        this.failed.add(FAILURES.reduce((all, word) => all + (rule.ended[word] || 0), 0), at);
    }

    // [how bad, in a word, in more words], or null.
    trouble() {
        const failed = Math.round(this.failed.sum());
        const closed = this.rule.listeners.find((l) => HEAR_NOBODY.includes(l.state));

        if (failed > 0)
            return ["bad", "upstream fails", count(failed) +
                    " could not be connected in the last 90 seconds"];
        if (closed && this.rule.state === "running")
            return ["bad", closed.state, "a listener takes nobody"];
        if (this.rule.sessions >= this.rule.limit)
            return ["warn", "full", "max_connections sessions are live"];
        return null;
    }
}

// [[word, count], ...], the greatest first.
function sorted(counts) {
    return Object.entries(counts).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

function makeListen() {
    const node = fromTemplate("listen-template");

    return {node, address: node.querySelector(".address"), word: node.querySelector(".word")};
}

function makeTally() {
    const node = fromTemplate("tally-template");

    return {node, what: node.querySelector(".what"), share: node.querySelector(".share > span"),
            count: node.querySelector(".count")};
}

function fillTally(row, word, n, most, text) {
    const width = (most > 0 ? Math.min(n / most, 1) * 100 : 0).toFixed(1) + "%";

    setText(row.what, word);
    setText(row.count, text);
    if (row.share.style.width !== width)
        row.share.style.width = width;
}

// What is below a rule's row.
class Detail {
    constructor(id, onSessions) {
        this.node = fromTemplate("detail-template");
        this.node.id = id;
        this.listeners = new Rows(this.node.querySelector(".listeners"), makeTally);
        this.ended = new Rows(this.node.querySelector(".ended"), makeTally);
        this.refused = new Rows(this.node.querySelector(".refusals"), makeTally);
        this.node.querySelector(".its-sessions").addEventListener("click", onSessions);
    }

    counts(rows, counts) {
        const list = sorted(counts), by = new Map(list), most = list.length ? list[0][1] : 0;

        rows.show(by.keys(), (row, word) => {
            fillTally(row, word, by.get(word), most, count(by.get(word)));
        });
        setHidden(rows.parent.nextElementSibling, list.length > 0);
    }

    show(rule) {
        const listeners = new Map(rule.listeners.map((l, i) => [i, l]));

        this.listeners.show(listeners.keys(), (row, i) => {
            const l = listeners.get(i);

            fillTally(row, l.address, l.sessions, l.limit === null ? rule.limit : l.limit,
                      count(l.sessions) + (l.limit === null ? " live" : " of " + count(l.limit)) +
                      (l.state === "listening" ? "" : ", " + l.state));
            setAttribute(row.node, "data-is", l.state);
        });
        this.counts(this.ended, rule.ended);
        this.counts(this.refused, rule.refused);
        for (const [name, text] of [["bytes-in", size(rule.bytes_in)],
                                    ["bytes-out", size(rule.bytes_out)],
                                    ["datagrams-in", count(rule.datagrams_in)],
                                    ["datagrams-out", count(rule.datagrams_out)],
                                    ["dropped", count(rule.dropped)]])
            setText(this.node.querySelector("." + name), text);
        setHidden(this.node.querySelector(".datagrams"), rule.datagrams_in + rule.datagrams_out +
                  rule.dropped === 0);
    }
}

let lastId = 0;

export class RuleRow {
    constructor(name, onSessions) {
        this.node = fromTemplate("rule-template");
        this.fold = this.part(".fold");
        this.detail = null;
        this.name = name;
        this.onSessions = onSessions;
        this.id = "detail-" + ++lastId;
        this.listens = new Rows(this.part(".listens"), makeListen);
        this.fold.addEventListener("click", () => this.turn());
        setText(this.part(".name"), name);
    }

    part(selector) {
        return this.node.querySelector(selector);
    }

    turn() {
        const open = !this.detail;

        setAttribute(this.fold, "aria-expanded", String(open));
        if (open) {
            this.detail = new Detail(this.id, () => this.onSessions(this.name));
            this.detail.show(this.known.rule);
            this.node.append(this.detail.node);
            setAttribute(this.fold, "aria-controls", this.id);
        } else {
            this.detail.node.remove();
            this.detail = null;
            this.fold.removeAttribute("aria-controls");
        }
    }

    showWay(rule) {
        const all = rule.listeners, shown = all.slice(0, LISTENERS_SHOWN);
        const more = all.length - shown.length;
        const byKey = new Map(shown.map((l, i) => [i, l]));

        if (more > 0)
            byKey.set("more", {address: "and " + count(more) + " more", state: ""});
        this.listens.show(byKey.keys(), (row, key) => {
            const l = byKey.get(key);

            setText(row.address, l.address);
            // That a rule takes nobody is told once.
            setText(row.word, l.state === "listening" ||
                    (l.state === "paused" && rule.state !== "running") ? "" : l.state);
            setAttribute(row.node, "data-is", l.state);
        });
        setText(this.part(".upstream"), rule.upstream);
    }

    showState(known) {
        const trouble = known.trouble(), pill = this.part(".trouble");

        setAttribute(this.node, "data-is", known.rule.state);
        setText(this.part(".word"), known.rule.state);
        setAttribute(this.part(".word"), "data-is", known.rule.state);
        setHidden(pill, !trouble);
        if (trouble) {
            setAttribute(pill, "data-is", trouble[0]);
            setText(pill, trouble[1]);
            setAttribute(pill, "title", trouble[2]);
        }
    }

    show(known) {
        const rule = known.rule;

        this.known = known;
        this.showState(known);
        this.showWay(rule);
        setText(this.part(".live-now"), count(rule.sessions));
        setText(this.part(".limit"), count(rule.limit));
        setBar(this.part(".load .bar"), rule.sessions, rule.limit);
        drawSpark(this.part(".spark"), "Traffic of " + rule.name, known.into, known.out);
        for (const [selector, growth] of [[".rate-in", known.into], [".rate-out", known.out]]) {
            setText(this.part(selector), rate(growth.now));
            setAttribute(this.part(selector), "data-is", growth.now > 0 ? "" : "zero");
        }
        setText(this.part(".opened"), count(rule.opened));
        setText(this.part(".num.refused"), count(known.refusals));
        setAttribute(this.part(".num.refused"), "title",
                     sorted(rule.refused).map(([word, n]) => word + " " + count(n)).join(", "));
        setAttribute(this.part(".num.refused"), "data-is",
                     known.refused.sum() > 0 ? "warn" : known.refusals > 0 ? "" : "zero");
        if (this.detail)
            this.detail.show(rule);
    }
}
