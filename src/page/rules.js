// SPDX-License-Identifier: BSD-2-Clause
// The table of rules.

import {Rows, byId, drawIn, isHeld, setHidden, setText} from "./dom.js";
import {Growth} from "./rate.js";
import {Known, RuleRow} from "./rule.js";
import {count} from "./text.js";

const SHOWN = 100; // and so many more at a time

const ORDERS = {
    config: null,
    name: (a, b) => (a.rule.name < b.rule.name ? -1 : 1),
    sessions: (a, b) => b.rule.sessions - a.rule.sessions,
    traffic: (a, b) => b.into.now + b.out.now - a.into.now - a.out.now,
    refused: (a, b) => b.refusals - a.refusals,
};

export class Rules {
    // `onSessions`: to show those of a rule.
    constructor(onSessions) {
        const table = byId("rules-table");

        this.known = new Map(); // by name, in the order of the config
        this.into = new Growth();
        this.out = new Growth();
        this.sums = [0, 0];
        this.most = SHOWN;
        this.rows = new Rows(table, (name) => new RuleRow(name, onSessions), {behind: table.tHead});
        byId("rules-filter").addEventListener("submit", (event) => event.preventDefault());
        byId("rules-find").addEventListener("input", () => this.draw());
        byId("rules-sort").addEventListener("change", () => this.draw());
        byId("rules-more").addEventListener("click", () => {
            this.most += SHOWN;
            this.draw();
        });
    }

    // What all of them carry: sums that only rise, as rules come and go.
    addSums(known, rule) {
        const before = known.rule || rule;

        this.sums[0] += Math.max(rule.bytes_in - before.bytes_in, 0);
        this.sums[1] += Math.max(rule.bytes_out - before.bytes_out, 0);
    }

    show(rules, at) {
        const known = new Map();

        for (const rule of rules) {
            const one = this.known.get(rule.name) || new Known();

            this.addSums(one, rule);
            one.add(rule, at);
            known.set(rule.name, one);
        }
        this.known = known;
        this.into.add(this.sums[0], at);
        this.out.add(this.sums[1], at);
        this.draw(isHeld(byId("rules-table")));
    }

    wanted() {
        const words = byId("rules-find").value.toLowerCase().split(/\s+/).filter(Boolean);
        const order = ORDERS[byId("rules-sort").value];
        const all = [...this.known.values()].filter(({rule}) => {
            const text = [rule.name, rule.state, rule.upstream,
                          ...rule.listeners.map((l) => l.address + " " + l.state)]
                .join(" ").toLowerCase();

            return words.every((word) => text.includes(word));
        });

        return order ? all.sort(order) : all;
    }

    draw(keepOrder = false) {
        drawIn(byId("rules"), () => this.drawRows(keepOrder));
    }

    // What the first new row is unfolded with.
    drawRows(keepOrder) {
        const all = this.wanted(), shown = all.slice(0, this.most);
        const rest = all.length - shown.length;

        const fresh = this.rows.show(shown.map(({rule}) => rule.name),
                                     (row, name) => row.show(this.known.get(name)), keepOrder);

        setHidden(byId("rules-table"), shown.length === 0);
        setHidden(byId("rules-empty"), shown.length > 0);
        setText(byId("rules-empty"), this.known.size > 0 ? "No rule is like that."
            : "There is no rule at work.");
        setHidden(byId("rules-more"), rest === 0);
        setText(byId("rules-more"), "More rules (" + count(rest) + " are not shown)");
        return fresh && fresh.fold;
    }
}
