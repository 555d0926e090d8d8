// SPDX-License-Identifier: BSD-2-Clause
// What happens, as the daemon tells it.

import {Full, readLines} from "./api.js";
import {byId, fromTemplate, setAttribute, setHidden, setText} from "./dom.js";
import {clock, date, size, span} from "./text.js";

const KEPT = 100;
const DRAW_MS = 250;
const TOO_MANY = 500; // a second: reading so many would be a burden for both sides
const REST_MS = 10000;
const RETRY_MS = [1000, 2000, 5000];

const CALM = ["done", "idle-timeout", "drained"];

function way(e) {
    return e.client + (e.upstream ? " → " + e.upstream : "");
}

// By the event's word.
const TEXTS = {
    hello: (e) => "listening to penstockd " + e.version + ", pid " + e.pid,
    opened: way,
    ended: (e) => way(e) + "\nin " + size(e.bytes_in) + ", out " + size(e.bytes_out) + ", " +
        span(e.age_ms),
    refused: way,
    reloaded: (e) => "generation " + e.generation + ": " + e.added + " added, " + e.removed +
        " removed, " + e.changed + " changed" + (e.failed ? ", " + e.failed + " failed" : ""),
    dropped: (e) => e.error,
};

function wordOf(e) {
    if (e.event === "reloaded")
        return "reload " + e.outcome;
    return e.end ? e.event + " " + e.end : e.event;
}

function mood(e) {
    if (e.event === "refused" || e.event === "dropped")
        return "warn";
    if (e.event === "ended")
        return CALM.includes(e.end) ? "calm" : "bad";
    if (e.event === "reloaded")
        return e.outcome === "ok" ? "good" : "bad";
    return e.event === "opened" ? "calm" : "note";
}

function makeRow(e) {
    const node = fromTemplate("event-template"), time = node.querySelector("time");
    const text = Object.hasOwn(TEXTS, e.event) ? TEXTS[e.event](e) : "";

    if (Number.isFinite(e.at_ms)) {
        setText(time, clock(e.at_ms));
        setAttribute(time, "datetime", new Date(e.at_ms).toISOString());
        setAttribute(time, "title", date(e.at_ms));
    }
    setText(node.querySelector(".word"), wordOf(e));
    setText(node.querySelector(".rule"), e.rule || "");
    setText(node.querySelector(".text"), text + (e.error && e.event !== "dropped"
        ? (text && "\n") + e.error : ""));
    setAttribute(node, "data-is", mood(e));
    setAttribute(node, "data-event", e.event);
    return node;
}

// Null: it is none that can be shown, such as another version's.
function rowOf(e) {
    try {
        return makeRow(e);
    } catch (error) {
        console.error(error, e);
        return null;
    }
}

export class Events {
    constructor() {
        this.waiting = []; // to be drawn
        this.drawing = 0;
        this.held = false;
        this.stop = null;  // an AbortController, while it is read
        this.tries = 0;
        this.again = 0;
        byId("events-hold").addEventListener("click", () => this.hold(!this.held));
    }

    hold(held) {
        this.held = held;
        setAttribute(byId("events-hold"), "aria-pressed", String(held));
        setText(byId("events-hold"), held ? "Go on" : "Hold");
        this.draw();
    }

    note(text) {
        setText(byId("events-note"), text);
    }

    start() {
        if (!this.stop)
            this.read();
    }

    end() {
        clearTimeout(this.again);
        if (this.stop)
            this.stop.abort();
        this.stop = null;
    }

    later(ms) {
        this.end();
        this.stop = new AbortController(); // it is under way, in a sense
        this.again = setTimeout(() => this.read(), ms);
    }

    async read() {
        const stop = new AbortController();
        let why = "interrupted";

        this.stop = stop;
        this.second = 0;
        this.inSecond = 0;
        try {
            await readLines("v1/events", stop.signal, (e) => this.take(e));
        } catch (error) {
            if (error instanceof Full)
                why = "too many read events already";
        }
        if (this.stop !== stop)
            return;
        this.note(why + ", trying again");
        this.later(RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
    }

    take(e) {
        const second = Math.floor(e.at_ms / 1000);

        if (e.event === "hello") {
            this.tries = 0;
            this.note("");
        }
        this.inSecond = second === this.second ? this.inSecond + 1 : 1;
        this.second = second;
        this.waiting.push(e);
        if (this.waiting.length > KEPT)
            this.waiting.shift();
        if (!this.drawing)
            this.drawing = setTimeout(() => this.draw(), DRAW_MS);
        if (this.inSecond > TOO_MANY) {
            this.note("too many to read, resting for 10 s");
            this.later(REST_MS);
        }
    }

    draw() {
        const list = byId("events-list");

        clearTimeout(this.drawing);
        this.drawing = 0;
        if (this.held)
            return;
        const all = this.waiting;

        this.waiting = [];
        list.prepend(...all.map(rowOf).filter(Boolean).reverse());
        while (list.childElementCount > KEPT)
            list.lastElementChild.remove();
        setHidden(byId("events-empty"), list.childElementCount > 0);
    }
}
