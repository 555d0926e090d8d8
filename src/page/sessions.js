// SPDX-License-Identifier: BSD-2-Clause
// The table of live sessions: a page of them, and more when asked. Each look at them asks for one
// page, whatever is shown; those are asked for in turn.

import {Refused, get} from "./api.js";
import {Rows, byId, drawIn, fromTemplate, isHeld, setAttribute, setHidden, setText} from "./dom.js";
import {count, date, size, span} from "./text.js";

const PAGE = 25;
const TYPING_MS = 250;

// `next`: as in the answer; undefined before there is one.
function newPage(after) {
    return {after, sessions: [], next: undefined};
}

function makeRow() {
    const node = fromTemplate("session-template");
    const parts = {};

    for (const name of ["id", "rule", "client", "upstream", "protocol", "word", "age", "idle", "in",
                        "out"])
        parts[name] = node.querySelector("." + name);
    return {node, parts};
}

function fillRow({node, parts}, s) {
    setText(parts.id, String(s.id));
    setText(parts.rule, s.rule);
    setText(parts.client, s.client);
    setText(parts.upstream, s.upstream === null ? "not connected yet" : s.upstream);
    setText(parts.protocol, s.protocol);
    setText(parts.word, s.state);
    setAttribute(node, "data-is", s.state);
    setText(parts.age, span(s.age_ms));
    setAttribute(parts.age, "title", "since " + date(s.started_at_ms));
    setText(parts.idle, span(s.idle_ms));
    setText(parts.in, size(s.bytes_in));
    setText(parts.out, size(s.bytes_out));
}

export class Sessions {
    // `onChange`: another filter, look at once.
    constructor(onChange) {
        let typing = 0;
        const changed = () => {
            clearTimeout(typing);
            this.begin();
            onChange();
        };

        this.rows = new Rows(byId("sessions-rows"), makeRow);
        this.begin();
        byId("sessions-filter").addEventListener("submit", (event) => {
            event.preventDefault();
            changed();
        });
        for (const id of ["sessions-rule", "sessions-client", "sessions-older"])
            byId(id).addEventListener("input", () => {
                clearTimeout(typing);
                typing = setTimeout(changed, TYPING_MS);
            });
        for (const id of ["sessions-state", "sessions-sort"])
            byId(id).addEventListener("change", changed);
        byId("sessions-more").addEventListener("click", () => {
            this.pages.push(newPage(this.pages[this.pages.length - 1].next));
            this.turn = this.pages.length - 1;
            onChange();
        });
    }

    // Other sessions than those before.
    begin() {
        this.pages = [newPage("")];
        this.turn = 0;
        this.isRefused = false; // the filter is none: nothing is asked until it is another
        this.query = {rule: byId("sessions-rule").value.trim(),
                      client: byId("sessions-client").value.trim(),
                      older: byId("sessions-older").value.trim(),
                      state: byId("sessions-state").value, sort: byId("sessions-sort").value};
    }

    onlyOf(rule) {
        byId("sessions-rule").value = rule;
        byId("sessions-rule").dispatchEvent(new Event("input"));
        byId("sessions").scrollIntoView();
        byId("sessions").focus({preventScroll: true});
    }

    async look() {
        const pages = this.pages, page = pages[this.turn];

        if (this.isRefused)
            return;
        try {
            const said = await get("v1/sessions", {...this.query, after: page.after, limit: PAGE});

            if (this.pages !== pages)
                return; // the filter is another by now
            page.sessions = said.sessions;
            page.next = said.next;
            setText(byId("sessions-error"), "");
        } catch (error) {
            if (!(error instanceof Refused))
                throw error;
            if (this.pages !== pages)
                return;
            this.begin();
            this.isRefused = true;
            setText(byId("sessions-error"), error.message);
        }
        this.settle();
        drawIn(byId("sessions"), () => this.draw());
    }

    // A page begins where the one before it ends; behind the last there is none. The next to be
    // looked at is one that was not yet, else they take turns.
    settle() {
        const last = this.pages.findIndex((page) => page.next === null);
        const fresh = this.pages.findIndex((page) => page.next === undefined);

        if (last >= 0)
            this.pages.length = last + 1;
        for (let i = 1; i < this.pages.length; i++)
            this.pages[i].after = this.pages[i - 1].next;
        this.turn = fresh > 0 ? fresh : (this.turn + 1) % this.pages.length;
    }

    // The first new row.
    draw() {
        const all = new Map(this.pages.flatMap((page) => page.sessions).map((s) => [s.id, s]));
        const last = this.pages[this.pages.length - 1];
        const isAll = last.next === null;

        const fresh = this.rows.show(all.keys(), (row, id) => fillRow(row, all.get(id)),
                                     isHeld(byId("sessions-rows")));

        setText(byId("sessions-count"), isAll ? count(all.size) : "the first " + count(all.size));
        setHidden(byId("sessions-more"), isAll);
        setHidden(byId("sessions-empty"), all.size > 0);
        setText(byId("sessions-empty"), "No live session is like that.");
        return fresh && fresh.node;
    }
}
