// SPDX-License-Identifier: BSD-2-Clause
// The daemon as a whole: what stands above the rules.

import {byId, setAttribute, setBar, setHidden, setText} from "./dom.js";
import {Growth, drawSpark} from "./rate.js";
import {count, date, many, perSecond, rate, size, span} from "./text.js";

const TITLES = {
    lost: "(no connection) penstock",
    unread: "(not updated) penstock",
};

const WORDS = {
    updating: "updating",
    lost: "lost connection, trying again",
    unread: "can't read the answers: reload the page", // they are another version's
    resting: "resting while hidden",
};

// A word of WORDS; said aloud only when it changes. Figures of a daemon that is away look it.
export function showLive(word) {
    setAttribute(byId("live"), "data-is", word);
    setAttribute(byId("figures"), "data-is", word);
    setText(byId("live-text"), WORDS[word]);
    document.title = TITLES[word] || "penstock";
}

function showReload(config, now) {
    const last = config.reload;
    const isPartly = (last.outcome === "ok" || last.outcome === "none") && last.failed > 0;

    setAttribute(byId("reload-outcome"), "data-is", isPartly ? "failed" : last.outcome);
    setText(byId("reload-outcome"), isPartly ? last.failed + " failed"
        : last.outcome === "none" ? "not reloaded yet"
        : last.outcome === "busy" ? "reloading" : "last reload " + last.outcome);
    setHidden(byId("reload-at"), last.at_ms === null);
    if (last.at_ms !== null) {
        setText(byId("reload-at"), span(now - last.at_ms) + " ago");
        setAttribute(byId("reload-at"), "datetime", new Date(last.at_ms).toISOString());
        setAttribute(byId("reload-at"), "title", date(last.at_ms));
    }
    setText(byId("reload-error"), last.error ||
        (isPartly ? "some rules or options could not change: penstock diff says which" : ""));
}

export class Head {
    constructor() {
        this.opened = new Growth();
    }

    // `at`: when the answer came, on the clock that never jumps.
    show(status, at) {
        const now = status.started_at_ms + status.uptime_ms; // the daemon's clock, not ours

        this.opened.add(status.sessions + status.served, at);
        setText(byId("version"), "penstockd " + status.version);
        setText(byId("pid"), "pid " + status.pid);
        setText(byId("uptime"), "up " + span(status.uptime_ms));
        setAttribute(byId("uptime"), "title", "since " + date(status.started_at_ms));
        setText(byId("sessions-live"), count(status.sessions));
        setText(byId("sessions-rate"), perSecond(this.opened.now));
        setText(byId("served"), count(status.served));
        setText(byId("refused"), count(status.refused));
        setText(byId("booked"), count(status.descriptors.booked));
        setText(byId("room"), count(status.descriptors.room));
        setBar(byId("descriptors"), status.descriptors.booked, status.descriptors.room);
        setText(byId("engine"), status.engine);
        setText(byId("watched"), count(status.watched));
        setText(byId("listeners"), count(status.listeners));
        setText(byId("rules-count"), many(status.rules, "rule", "rules"));
        setText(byId("generation"), count(status.config.generation));
        setText(byId("config-path"), status.config.path);
        setAttribute(byId("config-path"), "title", "loaded " + date(status.config.loaded_at_ms));
        showReload(status.config, now);
    }

    showTraffic(into, out) {
        const peak = drawSpark(byId("traffic"), "Traffic", into, out);

        setText(byId("rate-in"), rate(into.now));
        setText(byId("rate-out"), rate(out.now));
        setText(byId("peak"), "at most " + size(peak) + "/s");
    }
}
