// SPDX-License-Identifier: BSD-2-Clause
// The page: looks once a second, while it is seen, and says so when it can't.

import {Lost, get} from "./api.js";
import {Events} from "./events.js";
import {Head, showLive} from "./head.js";
import {Rules} from "./rules.js";
import {Sessions} from "./sessions.js";

const EVERY_MS = 1000;
const RETRY_MS = [1000, 2000, 3000, 5000];
const RULES_A_SECOND = 500; // are asked for: with more of them, they are looked at less often

const head = new Head();
const sessions = new Sessions(() => look());
const rules = new Rules((name) => sessions.onlyOf(name));
const events = new Events();

let timer = 0;
let busy = false;
let asked = false; // to look again at once
let failures = 0;
let rulesDue = 0;

async function lookAtRules() {
    const now = performance.now();

    if (now < rulesDue)
        return;
    const said = await get("v1/rules");

    rules.show(said.rules, performance.now());
    head.showTraffic(rules.into, rules.out);
    rulesDue = now + said.rules.length / RULES_A_SECOND * 1000 - EVERY_MS / 2;
}

async function lookAtAll() {
    const status = await get("v1/status");

    head.show(status, performance.now());
    await Promise.all([lookAtRules(), sessions.look()]);
}

// Not while the page is hidden: it may have become so since the look began.
function showOutcome(error) {
    if (!error) {
        failures = 0;
        showLive("updating");
        events.start();
        return;
    }
    failures++;
    showLive(error instanceof Lost ? "lost" : "unread");
    if (!(error instanceof Lost))
        console.error(error);
}

async function look() {
    clearTimeout(timer);
    if (busy || document.hidden) {
        asked = busy;
        return;
    }
    const began = performance.now();
    let wrong = null;

    busy = true;
    asked = false;
    try {
        await lookAtAll();
    } catch (error) {
        wrong = error;
    }
    busy = false;
    if (document.hidden)
        return;
    showOutcome(wrong);
    const wait = failures > 0 ? RETRY_MS[Math.min(failures, RETRY_MS.length) - 1]
        : EVERY_MS - (performance.now() - began);

    timer = setTimeout(look, asked ? 0 : Math.max(wait, 0));
}

document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
        clearTimeout(timer);
        events.end();
        showLive("resting");
    } else {
        look();
    }
});
look();
